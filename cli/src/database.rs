//! Which database and which accounts a command works with.

use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use sqlx::Connection as _;
use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tulbur::core::AccountConfig;
use tulbur::payments::store::StoreSettings;
use tulbur::payments::{Payments, PostgresStore, SealingKeys, SqliteStore, Store, StoreError};
use tulbur::{AccountName, Registry, SecretString, Url, accounts_from};

use crate::out::{Failure, Wall};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
const CONFIG: &str = "tulbur.toml";
const DATABASE: &str = "The database, as sqlite:FILE or postgres://USER:PASSWORD@HOST/NAME";
const DATABASE_LONG: &str = "\
The database, as sqlite:FILE or postgres://USER:PASSWORD@HOST/NAME

Else the environment variable TULBUR_DATABASE, else `database` in the configuration. It must exist. A password on the \
command line can be seen by others on this machine; give it in the environment.";

/// The options that all commands on a database have.
#[derive(Debug, Args)]
pub(crate) struct DatabaseOptions {
    #[arg(long, value_name = "URL", global = true, help = DATABASE, long_help = DATABASE_LONG)]
    database: Option<String>,
    /// The configuration: accounts, sealing keys, database [default: tulbur.toml if there is one]
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// A sealing key: its id, and the environment variable that holds it
    #[arg(long, value_name = "ID=VARIABLE", global = true)]
    sealing_key: Vec<String>,
    /// How far the clocks are from UTC, for times and days, such as +08:00 [default: `offset` in the configuration, else +00:00]
    #[arg(long, value_name = "+HH:MM", global = true, allow_hyphen_values = true)]
    offset: Option<String>,
    /// Print one line of JSON. Times are milliseconds since 1970, amounts are in minor units
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// Not by clap, which repeats what it refuses: that may be the key itself.
fn parse_key(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((id, variable)) if !id.is_empty() && is_variable(variable) => Ok((id.into(), variable.into())),
        _ => Err(
            "--sealing-key: expected ID=VARIABLE, such as 2027=SHOP_SEALING_KEY: the name of a variable, \
                  not the key"
                .into(),
        ),
    }
}

/// Whether a text can be the name of a variable. A key in base64 cannot: it ends with `=`.
fn is_variable(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// What is configured, before anything is opened.
pub(crate) struct Setup {
    /// The configuration's text, and the file it came from.
    config: Option<(PathBuf, String)>,
    database: Option<String>,
    /// Ids of sealing keys, and the variables that hold them.
    keys: Vec<(String, String)>,
    offset: String,
    pub(crate) wall: Wall,
}

impl Setup {
    pub(crate) fn read(options: &DatabaseOptions) -> Result<Self, Failure> {
        let config = read_config(options.config.as_deref())?;
        let mut settings = Settings::default();
        if let Some((file, text)) = &config {
            settings = Settings::parse(text).map_err(|why| format!("{}: {why}", file.display()))?;
        }
        let from_environment = std::env::var("TULBUR_DATABASE").ok().filter(|url| !url.is_empty());
        let database = options.database.clone().or(from_environment).or(settings.database);
        let keys = options.sealing_key.iter().map(|text| parse_key(text));
        // As clap ends over what it cannot read.
        let mut keys =
            keys.collect::<Result<Vec<_>, _>>().map_err(|why| Failure { code: 2, ..Failure::new(why) })?;
        for (id, variable) in settings.keys {
            if !keys.iter().any(|(given, _)| *given == id) {
                keys.push((id, variable));
            }
        }
        let offset = options.offset.clone().or(settings.offset).unwrap_or_else(|| "+00:00".into());
        let wall = Wall::parse(&offset)?;
        Ok(Self { config, database, keys, offset, wall })
    }

    pub(crate) fn offset(&self) -> &str {
        &self.offset
    }

    /// Opens the database, which must exist and be one of ours.
    pub(crate) async fn store(&self) -> Result<Arc<dyn Store>, Failure> {
        let url = self.database.as_deref().ok_or_else(|| {
            Failure::new(
                "no database is named; give --database sqlite:FILE, set TULBUR_DATABASE, or write `database` into \
                 tulbur.toml",
            )
        })?;
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => open_sqlite(url).await,
            Some("postgres" | "postgresql") => open_postgres(url).await,
            // It may be a password in the wrong place, so it is not repeated.
            _ => Err(Failure::new("the database must be sqlite:FILE or postgres://USER:PASSWORD@HOST/NAME")),
        }
    }

    /// The sealing keys; none if none is named.
    pub(crate) fn keys(&self) -> Result<Option<SealingKeys>, Failure> {
        if self.keys.is_empty() {
            return Ok(None);
        }
        let mut keys: Vec<(&str, SecretString)> = Vec::new();
        // By their places: an id or a name of a variable may be the key, in the wrong place.
        for (place, (id, variable)) in (1..).zip(&self.keys) {
            let value = std::env::var(variable).ok().filter(|value| !value.is_empty()).ok_or_else(|| {
                format!("the environment variable that is named for sealing key {place} is not set or empty")
            })?;
            keys.push((id, SecretString::from(value)));
        }
        Ok(Some(SealingKeys::new(keys.iter().map(|(id, key)| (*id, key)))?))
    }

    /// The accounts that are configured, by the file and the environment.
    pub(crate) fn accounts(&self) -> Result<Vec<AccountConfig>, Failure> {
        let toml = self.config.as_ref().map(|(_, text)| text.as_str());
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Ok(accounts_from(toml, environment, &Registry::linked()?.ids())?)
    }

    /// What acts at the providers from this process.
    pub(crate) async fn hands(&self, store: &Arc<dyn Store>) -> Result<Hands, Failure> {
        let accounts = self.accounts()?;
        if accounts.is_empty() {
            return Ok(Hands::None(
                "no account is configured here (--config FILE, or TULBUR_<ACCOUNT>_<FIELD> in the environment)".into(),
            ));
        }
        let Some(keys) = self.keys()? else {
            return Ok(Hands::None(
                "no sealing key is configured here (--sealing-key ID=VARIABLE, or `sealing_keys` in tulbur.toml)".into(),
            ));
        };
        let env = tulbur::reqwest::standard_env()?;
        // Payers' pages are served by the application: nothing that is done here shows one.
        let nowhere = Url::parse("http://127.0.0.1/").map_err(|error| error.to_string())?;
        let mut builder = Payments::builder(Arc::clone(store), env.clock.clone(), keys, nowhere);
        let mut names = Vec::new();
        let registry = Registry::linked()?;
        for account in &accounts {
            names.push(account.name().clone());
            builder = builder.account(registry.build(account, &env)?);
        }
        Ok(Hands::Here(builder.build().await?, names))
    }

    /// As [`Setup::hands`], for what cannot be done otherwise.
    pub(crate) async fn need_hands(
        &self,
        store: &Arc<dyn Store>,
        account: &AccountName,
        what: &str,
    ) -> Result<Payments, Failure> {
        match self.hands(store).await? {
            Hands::Here(payments, names) if names.contains(account) => Ok(payments),
            Hands::Here(..) => Err(Failure::new(format!(
                "{what} needs account `{account}`, which is not configured here; nothing was done"
            ))),
            Hands::None(why) => {
                Err(Failure::new(format!("{what} needs account `{account}`: {why}; nothing was done")))
            }
        }
    }
}

/// Who acts at the providers.
pub(crate) enum Hands {
    /// This process, with these accounts.
    Here(Payments, Vec<AccountName>),
    /// Nobody here, and why.
    None(String),
}

#[derive(Default)]
struct Settings {
    database: Option<String>,
    keys: Vec<(String, String)>,
    offset: Option<String>,
}

impl Settings {
    /// Takes what is ours; accounts are read by core, and other tables are the application's. No message quotes a
    /// value: it may be a secret in the wrong place.
    fn parse(text: &str) -> Result<Self, String> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let start = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = text.get(..start).unwrap_or_default().matches('\n').count() + 1;
            format!("it cannot be read as TOML; look near line {line}")
        })?;
        let text_of = |table: &toml::Table, name: &str| match table.get(name) {
            None => Ok(None),
            Some(toml::Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(format!("`{name}` must be a text")),
        };
        let wrong = "`sealing_keys` must be a list such as [{ id = \"2027\", env = \"SHOP_SEALING_KEY\" }]";
        let mut keys = Vec::new();
        if let Some(value) = table.get("sealing_keys") {
            for entry in value.as_array().ok_or(wrong)? {
                let entry = entry.as_table().ok_or(wrong)?;
                match (text_of(entry, "id")?, text_of(entry, "env")?) {
                    (Some(id), Some(variable)) if is_variable(&variable) => keys.push((id, variable)),
                    _ => return Err(wrong.to_owned()),
                }
            }
        }
        Ok(Self { database: text_of(&table, "database")?, keys, offset: text_of(&table, "offset")? })
    }
}

fn read_config(named: Option<&Path>) -> Result<Option<(PathBuf, String)>, Failure> {
    let file = named.unwrap_or(Path::new(CONFIG));
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some((file.to_owned(), text))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => Ok(None),
        Err(error) => {
            Err(Failure::new(format!("the configuration {} cannot be read: {error}", file.display())))
        }
    }
}

/// What stands in a database, looked at before it is opened: one that is not ours gets none of our tables, and one that
/// an older application uses is not brought to tables that this application would not know.
const VERSION: &str = "SELECT max(version) FROM tulbur_migrations";

async fn open_sqlite(url: &str) -> Result<Arc<dyn Store>, Failure> {
    let options = SqliteConnectOptions::from_str(url)
        .map_err(|_| Failure::new("the database is not of the form sqlite:FILE"))?
        .create_if_missing(false);
    let file = options.get_filename().to_owned();
    let named = file.display().to_string();
    if !file.is_file() {
        return Err(Failure::new(format!("there is no database {named}; none was made")));
    }
    let mut look = SqliteConnection::connect_with(&options.clone().read_only(true))
        .await
        .map_err(|error| Failure::new(format!("{named} cannot be opened: {error}")))?;
    let version = sqlx::query_scalar(VERSION).fetch_one(&mut look).await;
    let _ = look.close().await;
    check_version(&named, version, tulbur::payments::sqlite::newest_tables())?;
    let store =
        SqliteStore::open_with(options).await.map_err(|error| Failure::new(format!("{named}: {error}")))?;
    Ok(Arc::new(store))
}

async fn open_postgres(url: &str) -> Result<Arc<dyn Store>, Failure> {
    // Neither the address nor what the library says of it is repeated: it holds a password.
    let options = PgConnectOptions::from_str(url)
        .map_err(|_| Failure::new("the database is not of the form postgres://USER:PASSWORD@HOST/NAME"))?;
    let named = format!("database `{}` on {}", options.get_database().unwrap_or("?"), options.get_host());
    let look = tokio::time::timeout(PATIENCE, PgConnection::connect_with(&options)).await;
    let mut look = match look {
        Ok(Ok(look)) => look,
        Ok(Err(sqlx::Error::Database(error))) => {
            return Err(Failure::new(format!("{named} refuses the connection: {}", error.message())));
        }
        Ok(Err(error)) => return Err(Failure::new(format!("{named} cannot be reached: {error}"))),
        Err(_) => {
            return Err(Failure::new(format!("{named} did not answer within {} s", PATIENCE.as_secs())));
        }
    };
    let version = sqlx::query_scalar(VERSION).fetch_one(&mut look).await;
    let _ = look.close().await;
    check_version(&named, version, tulbur::payments::postgres::newest_tables())?;
    let settings = StoreSettings::default().connections(2);
    let store = PostgresStore::connect(options, &settings)
        .await
        .map_err(|error| Failure::new(format!("{named}: {error}")))?;
    Ok(Arc::new(store))
}

fn check_version(named: &str, found: Result<Option<i64>, sqlx::Error>, newest: i64) -> Result<(), Failure> {
    match found {
        Ok(Some(version)) if version == newest => Ok(()),
        Ok(Some(version)) if version < newest => Err(Failure::new(format!(
            "the tables of {named} are of version {version}, and this command is for version {newest}. Use the command \
             that came with the application, or start the new application first; nothing was changed"
        ))),
        Ok(Some(version)) => Err(Failure::new(format!(
            "the tables of {named} are of version {version}, which is newer than this command ({newest}); use the \
             command that came with the application"
        ))),
        Ok(None) => Err(not_ours(named)),
        Err(sqlx::Error::Database(error)) => Err(unreadable(named, &*error)),
        Err(error) => Err(Failure::new(format!("{named} cannot be read: {error}; nothing was changed"))),
    }
}

fn not_ours(named: &str) -> Failure {
    Failure::new(format!("{named} is no database of Tulbur's; nothing was changed"))
}

/// What the database answers to a look at the version: that a database is not ours is said only where it is known.
fn unreadable(named: &str, error: &dyn DatabaseError) -> Failure {
    let why = error.message();
    let code = error.code().unwrap_or_default();
    // SQLite's are numbers whose low byte says what it is about; PostgreSQL's have five characters.
    let number = if code.len() < 5 { code.parse::<i32>().unwrap_or(0) & 0xff } else { 0 };
    match (&*code, number) {
        // SQLITE_BUSY
        (_, 5) => Failure::new(format!("{named}: {}", StoreError::Locked)),
        // SQLITE_NOTADB, undefined_table
        (_, 26) | ("42P01", _) => not_ours(named),
        (_, 1) if why.starts_with("no such table") => not_ours(named),
        // SQLITE_READONLY, SQLITE_CANTOPEN: the journal needs a folder that can be written to.
        (_, 8 | 14) => Failure::new(format!(
            "{named} cannot be read: may this user read it, and write to its folder? A copy that nobody uses can be read \
             as sqlite:FILE?immutable=true; nothing was changed"
        )),
        // insufficient_privilege
        ("42501", _) => Failure::new(format!(
            "{named}: this user may not read its `tulbur_` tables ({why}); use the user of the application"
        )),
        _ => Failure::new(format!("{named} cannot be read: {why}; nothing was changed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_and_no_value_is_ever_quoted() {
        let settings = Settings::parse(
            "database = \"sqlite:shop.db\"\noffset = \"+08:00\"\n\
             sealing_keys = [{ id = \"2027\", env = \"NEW\" }, { id = \"2026\", env = \"OLD\" }]\n[other]\nx = 1",
        )
        .unwrap();
        assert_eq!(settings.database.as_deref(), Some("sqlite:shop.db"));
        assert_eq!(settings.keys[1], ("2026".to_owned(), "OLD".to_owned()));
        for wrong in [
            "database = planted",
            "x = \"1\"\ndatabase = [\"planted\"]",
            "sealing_keys = \"planted\"",
            "sealing_keys = [\"planted\"]",
            "sealing_keys = [{ id = \"planted\" }]",
            "offset = 8 # planted",
        ] {
            let Err(why) = Settings::parse(wrong) else { panic!("{wrong}") };
            assert!(!why.contains("planted"), "{why}");
        }
        assert!(Settings::parse("a = 1\n\nb = planted").err().unwrap().contains("line 3"));
        assert!(parse_key("2027=NAME").is_ok() && parse_key("NAME").is_err());
    }
}
