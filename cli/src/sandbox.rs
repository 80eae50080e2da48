//! `tulbur sandbox`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use tulbur_sandbox::{Sandbox, SandboxError};

/// The options of `tulbur sandbox`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tulbur sandbox
      control page on http://127.0.0.1:4000, and the providers on the ports after it: Golomt E-Commerce 4001,
      Golomt Instore 4002, Galaxy Pay 4003, SocialPay mini app 4004
  tulbur sandbox --notify golomt-ecommerce=http://127.0.0.1:8080/notify/golomt-ecommerce
      tells a shop on port 8080 what happens to its payments
  tulbur sandbox --port 0 --json
      free ports; prints one line of JSON when ready, for scripts and tests
  tulbur sandbox --state sandbox.json
      goes on tomorrow where it stopped today")]
pub(crate) struct Options {
    /// Port of the control page; the providers take the ports after it. 0 takes a free port for each
    #[arg(long, default_value_t = 4000)]
    port: u16,
    /// Print one line of JSON when ready, with every address and credential, and nothing else
    #[arg(long)]
    json: bool,
    /// Where a provider sends its notifications, as PROVIDER=URL; may be given for each provider
    #[arg(long, value_name = "PROVIDER=URL", value_parser = parse_notify)]
    notify: Vec<(String, String)>,
    /// Keep everything in this file, and go on from it
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Address to listen on. Whoever can reach it rules the sandbox
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1")]
    bind: IpAddr,
    /// A further host name by which the control page and the providers may be called; may be given several times
    #[arg(long, value_name = "NAME")]
    allow_host: Vec<String>,
}

fn parse_notify(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((provider, url)) if !provider.is_empty() && !url.is_empty() => Ok((provider.into(), url.into())),
        _ => Err("expected PROVIDER=URL, such as golomt-ecommerce=http://127.0.0.1:8080/notify".into()),
    }
}

pub(crate) fn run(options: &Options) -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| format!("cannot start: {error}"))?;
    runtime.block_on(async {
        // Asked for before the ready line, so that a signal right after it is not missed.
        let stop = stop_signal().map_err(|error| format!("cannot listen for signals: {error}"))?;
        let sandbox = start(options).await.map_err(|error| error.to_string())?;
        let message = if options.json { ready_line(&sandbox) } else { ready_text(&sandbox, options) };
        crate::print(&message?)?;
        stop.await;
        sandbox.shutdown().await;
        Ok(())
    })
}

async fn start(options: &Options) -> Result<Sandbox, SandboxError> {
    let mut builder = Sandbox::builder().port(options.port).bind(options.bind);
    for (provider, url) in &options.notify {
        builder = builder.push_address(provider, url);
    }
    for host in &options.allow_host {
        builder = builder.allow_host(host);
    }
    if let Some(file) = &options.state {
        builder = builder.state_file(file);
    }
    builder.start().await
}

#[cfg(unix)]
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        // Without a way to hear Ctrl-C the process is ended from outside.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

#[derive(Serialize)]
struct Ready {
    control: String,
    providers: BTreeMap<String, ReadyProvider>,
}

#[derive(Serialize)]
struct ReadyProvider {
    base_url: String,
    credentials: BTreeMap<String, String>,
}

fn ready_line(sandbox: &Sandbox) -> Result<String, String> {
    let mut providers = BTreeMap::new();
    for id in sandbox.provider_ids() {
        let provider = sandbox.provider(id).map_err(|error| error.to_string())?;
        let ready = ReadyProvider {
            base_url: provider.base_url().to_owned(),
            credentials: provider.credentials().clone(),
        };
        providers.insert(id.to_owned(), ready);
    }
    let ready = Ready { control: sandbox.control_url().to_owned(), providers };
    serde_json::to_string(&ready).map_err(|error| error.to_string())
}

fn ready_text(sandbox: &Sandbox, options: &Options) -> Result<String, String> {
    let mut text = format!(
        "The sandbox is ready. No bank is behind it and no money moves.\n\n  Control page   {}\n",
        sandbox.control_url()
    );
    let mut write = |line: String| writeln!(text, "{line}").map_err(|error| error.to_string());
    for id in sandbox.provider_ids() {
        let provider = sandbox.provider(id).map_err(|error| error.to_string())?;
        write(format!("\n  {} ({id})", provider.profile().title))?;
        write(format!("    base address   {}", provider.base_url()))?;
        for (name, value) in provider.credentials() {
            write(format!("    {name:<14} {value}"))?;
        }
        match provider.push_address() {
            Some(address) => write(format!("    notifies       {address}"))?,
            None => {
                write(format!("    notifies       nobody yet: --notify {id}=URL, or on the control page"))?;
            }
        }
    }
    match &options.state {
        Some(file) => write(format!("\nState is kept in {}.", file.display()))?,
        None => write("\nNothing is kept: --state FILE goes on from a file.".to_owned())?,
    }
    write("Ctrl-C stops it.".to_owned())?;
    Ok(text.trim_end().to_owned())
}
