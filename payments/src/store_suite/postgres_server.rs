//! A throw-away PostgreSQL server for tests: started from what is installed, stopped with the test.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection};
use tempfile::TempDir;

/// How long a server may take to start or stop.
const PATIENCE: Duration = Duration::from_mins(1);

/// A PostgreSQL server of its own: a new cluster in a temporary folder, on a free port of this machine. It ends when
/// this is dropped, and when the process that started it dies.
#[derive(Debug)]
pub struct PostgresServer {
    binaries: PathBuf,
    folder: TempDir,
    port: u16,
    durable: bool,
    /// The server's user, where this process is root: PostgreSQL refuses to run as root.
    user: Option<(u32, u32)>,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Running {
    process: u32,
    ends: JoinHandle<()>,
}

impl PostgresServer {
    /// Whether PostgreSQL's server is installed here.
    pub fn is_installed() -> bool {
        binaries().is_some()
    }

    /// Makes a cluster and starts its server. It does not wait for the disk: for tests of everything but power cuts.
    ///
    /// # Errors
    /// In words, when it is not installed or does not start.
    pub fn start() -> Result<Self, String> {
        let folder =
            tempfile::Builder::new().prefix("tulbur-postgres-").tempdir().map_err(|e| e.to_string())?;
        Self::start_in(folder, false)
    }

    /// Makes a cluster in this folder and starts its server, as it comes: each commit waits for the disk.
    ///
    /// # Errors
    /// As [`PostgresServer::start`].
    pub fn start_durable(folder: TempDir) -> Result<Self, String> {
        Self::start_in(folder, true)
    }

    fn start_in(folder: TempDir, durable: bool) -> Result<Self, String> {
        let binaries = binaries()
            .ok_or("PostgreSQL's initdb is not installed (on Debian: apt-get install postgresql)")?;
        let user = if is_root()? { Some(user_of("postgres")?) } else { None };
        if let Some((uid, gid)) = user {
            chown(folder.path(), Some(uid), Some(gid))
                .map_err(|e| format!("the folder cannot be given away: {e}"))?;
        }
        let server = Self { binaries, folder, port: free_port()?, durable, user, running: Mutex::default() };
        let made = server
            .command("initdb")
            .args([
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
                "-D",
            ])
            .arg(server.data())
            .stdout(Stdio::null())
            .output()
            .map_err(|e| format!("initdb cannot be run: {e}"))?;
        if !made.status.success() {
            return Err(format!("initdb failed: {}", String::from_utf8_lossy(&made.stderr)));
        }
        server.start_again()?;
        Ok(server)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A command of PostgreSQL's, as the server's user, ended when its parent dies.
    fn command(&self, name: &str) -> Command {
        let mut command = Command::new("setpriv");
        if let Some((uid, gid)) = self.user {
            command.arg(format!("--reuid={uid}")).arg(format!("--regid={gid}")).arg("--clear-groups");
        }
        command.args(["--pdeathsig", "QUIT", "--"]).arg(self.binaries.join(name));
        command.current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    /// Starts the server that was stopped, on the same port and data.
    ///
    /// # Errors
    /// In words, when it does not start.
    pub fn start_again(&self) -> Result<(), String> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if running.is_some() {
            return Err("the server is running".into());
        }
        let log = std::fs::File::options().create(true).append(true).open(self.folder.path().join("log"));
        let mut command = self.command("postgres");
        command
            .arg("-D")
            .arg(self.data())
            .args([
                "-p",
                &self.port.to_string(),
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "unix_socket_directories=",
            ])
            .args(["-c", "max_connections=200"])
            .stdout(Stdio::null())
            .stderr(log.map_err(|e| e.to_string())?);
        if !self.durable {
            command.args(["-c", "fsync=off"]);
        }
        let (tell, told) = mpsc::channel();
        // A process gets its parent's death signal when the *thread* that made it ends; so this one stays with it.
        let ends = std::thread::spawn(move || match command.spawn() {
            Ok(mut child) => {
                drop(tell.send(Ok(child.id())));
                drop(child.wait());
            }
            Err(error) => drop(tell.send(Err(format!("the server cannot be run: {error}")))),
        });
        let process = told.recv().map_err(|e| e.to_string())??;
        let until = Instant::now() + PATIENCE;
        loop {
            if self.answers() {
                break;
            }
            if ends.is_finished() || Instant::now() > until {
                let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                return Err(format!("the server did not start:\n{log}"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        *running = Some(Running { process, ends });
        Ok(())
    }

    fn answers(&self) -> bool {
        self.command("pg_isready")
            .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
            .status()
            .is_ok_and(|status| status.success())
    }

    /// Stops the server as by a crash (`pg_ctl stop -m immediate`): connections are cut, nothing is tidied up.
    ///
    /// # Errors
    /// In words, when it is not running or does not stop.
    pub fn stop_immediately(&self) -> Result<(), String> {
        self.stop("QUIT")
    }

    /// Stops the server in order (`pg_ctl stop -m fast`).
    ///
    /// # Errors
    /// As [`PostgresServer::stop_immediately`].
    pub fn stop_fast(&self) -> Result<(), String> {
        self.stop("INT")
    }

    fn stop(&self, signal: &str) -> Result<(), String> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Running { process, ends }) = running else { return Err("the server is not running".into()) };
        let killed = Command::new("kill").args(["-s", signal, &process.to_string()]).status();
        if !killed.is_ok_and(|status| status.success()) {
            return Err("the server could not be signalled".into());
        }
        let until = Instant::now() + PATIENCE;
        while !ends.is_finished() {
            if Instant::now() > until {
                return Err("the server does not stop".into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        ends.join().map_err(|_| "who waited for the server panicked".to_owned())
    }

    /// The address of the database that every cluster has.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        drop(self.stop_immediately());
    }
}

/// Debian keeps each version apart; others have it in the path.
fn binaries() -> Option<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, folder): &(u32, PathBuf)| folder.join("initdb").is_file())
        .collect();
    found.sort();
    let in_path =
        || std::env::split_paths(&std::env::var_os("PATH")?).find(|folder| folder.join("initdb").is_file());
    found.pop().map(|(_, folder)| folder).or_else(in_path)
}

fn id(args: &[&str]) -> Result<u32, String> {
    let output = Command::new("id").args(args).output().map_err(|e| format!("`id` cannot be run: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().map_err(|_| format!("`id {}` gave no number", args.join(" ")))
}

fn is_root() -> Result<bool, String> {
    Ok(id(&["-u"])? == 0)
}

fn user_of(name: &str) -> Result<(u32, u32), String> {
    Ok((id(&["-u", name])?, id(&["-g", name])?))
}

/// A port that was free a moment ago. It is below those that a system gives to whoever asks for any, so nobody is given
/// it until it is used, nor while its server is down to be started again.
fn free_port() -> Result<u16, String> {
    static ASKED: AtomicU32 = AtomicU32::new(0);
    // Programs that run side by side begin far from one another.
    let begin = std::process::id().wrapping_mul(61);
    (0..5000)
        .map(|_| begin.wrapping_add(ASKED.fetch_add(1, Ordering::Relaxed)) % 5000)
        .filter_map(|number| u16::try_from(26_000 + number).ok())
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .ok_or_else(|| "loopback has no free port".to_owned())
}

/// Where tests find PostgreSQL: a server whose address is in `TULBUR_TEST_POSTGRES`, or one that was started for them.
#[derive(Debug, Clone)]
pub enum TestPostgres {
    /// Somebody else's.
    Given(String),
    /// One of our own.
    Own(Arc<PostgresServer>),
}

/// PostgreSQL for tests: the server whose address is in `TULBUR_TEST_POSTGRES`, or one that is started from what is
/// installed. Without either it says `skipped` on the standard error and gives `None`, and the test is to end there.
///
/// # Panics
/// Where there is none and `TULBUR_REQUIRE_POSTGRES=1` asks for one, and where one is installed and does not start.
#[expect(clippy::print_stderr, reason = "a test that was skipped must say so")]
pub fn postgres_for_tests() -> Option<TestPostgres> {
    if let Ok(url) = std::env::var("TULBUR_TEST_POSTGRES") {
        return Some(TestPostgres::Given(url));
    }
    if !PostgresServer::is_installed() {
        assert!(
            std::env::var("TULBUR_REQUIRE_POSTGRES").is_err(),
            "TULBUR_REQUIRE_POSTGRES is set, and PostgreSQL is neither installed nor given by TULBUR_TEST_POSTGRES"
        );
        eprintln!("skipped: PostgreSQL is not installed, and TULBUR_TEST_POSTGRES names none");
        return None;
    }
    match PostgresServer::start() {
        Ok(server) => Some(TestPostgres::Own(Arc::new(server))),
        Err(why) => panic!("PostgreSQL is installed and cannot be started: {why}"),
    }
}

impl TestPostgres {
    fn url(&self) -> String {
        match self {
            Self::Given(url) => url.clone(),
            Self::Own(server) => server.url(),
        }
    }

    /// A database that nobody has used. It is dropped with what this returns.
    ///
    /// # Errors
    /// The server's.
    pub async fn database(&self) -> Result<TestDatabase, String> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("tulbur_test_{}_{number}", std::process::id());
        let options =
            PgConnectOptions::from_str(&self.url()).map_err(|_| "the server's address cannot be read")?;
        let mut admin = PgConnection::connect_with(&options).await.map_err(|e| e.to_string())?;
        for statement in
            [format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"), format!("CREATE DATABASE {name}")]
        {
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut admin).await.map_err(|e| e.to_string())?;
        }
        drop(admin.close().await);
        Ok(TestDatabase { options, name, server: self.clone() })
    }
}

/// One test's database.
#[derive(Debug)]
pub struct TestDatabase {
    options: PgConnectOptions,
    name: String,
    server: TestPostgres,
}

impl TestDatabase {
    /// How to connect to it.
    pub fn options(&self) -> PgConnectOptions {
        self.options.clone().database(&self.name)
    }

    /// Its address.
    pub fn url(&self) -> String {
        let url = self.server.url();
        let (before, query) = url
            .split_once('?')
            .map_or((url.as_str(), String::new()), |(before, query)| (before, format!("?{query}")));
        let base = before.rsplit_once('/').map_or(before, |(base, _)| base);
        format!("{base}/{}{query}", self.name)
    }

    /// The server, where it is one that can be stopped and started.
    pub fn server(&self) -> Option<&PostgresServer> {
        match &self.server {
            TestPostgres::Given(_) => None,
            TestPostgres::Own(server) => Some(server),
        }
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        // A server of our own goes as a whole.
        if matches!(self.server, TestPostgres::Own(_)) {
            return;
        }
        let (options, name) = (self.options.clone(), self.name.clone());
        let cleaning = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async {
                let Ok(mut admin) = PgConnection::connect_with(&options).await else { return };
                let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                drop(sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut admin).await);
            });
        });
        drop(cleaning.join());
    }
}
