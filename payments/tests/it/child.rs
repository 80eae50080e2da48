//! Other processes of this test binary, which play a part and can be stopped and ended.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// A process that plays one part, and is ended with this.
pub(crate) struct Part {
    process: Child,
    lines: mpsc::Receiver<String>,
}

/// How the lines begin that a part says to the test.
const SAYS: &str = "part says: ";

/// Says something to the test that started this part.
#[expect(clippy::print_stdout, reason = "the other process reads it")]
pub(crate) fn say(text: &str) {
    println!("\n{SAYS}{text}");
}

impl Part {
    /// Starts the ignored test of this name. `limits` are shell commands that come before it.
    pub(crate) fn start(test: &str, limits: &str, about: &[(&str, &str)]) -> Self {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{limits} exec \"$0\" \"$@\"")).arg(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--ignored", "--nocapture"]);
        command.envs(about.iter().copied()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let (send, lines) = mpsc::channel();
        let output = process.stdout.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some(said) = line.strip_prefix(SAYS) {
                    drop(send.send(said.to_owned()));
                }
            }
        });
        Self { process, lines }
    }

    /// What it says next.
    pub(crate) fn hear(&self) -> String {
        self.lines
            .recv_timeout(Duration::from_mins(1))
            .expect("the other process says something within a minute")
    }

    /// Stops it, as a paused machine or a swapped-out process is.
    pub(crate) fn stop(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub(crate) fn go_on(&self) {
        self.signal("CONT");
    }

    /// Ends it at once.
    pub(crate) fn end(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
