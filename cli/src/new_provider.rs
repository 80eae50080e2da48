//! `tulbur new-provider`.

use std::path::{Path, PathBuf};
use std::{fs, io};

use clap::Args;
use tulbur::ProviderId;

/// The template's files. They are written for a bank called "My Bank", so that they can be read as they are.
const FILES: [(&str, &str); 3] = [
    ("Cargo.toml", include_str!("../template/Cargo.toml.in")),
    ("src/lib.rs", include_str!("../template/src/lib.rs")),
    ("tests/conformance.rs", include_str!("../template/tests/conformance.rs")),
];

/// What the new crate needs of Tulbur's repository.
const CRATES: [&str; 4] = ["core", "conformance", "adapters/reqwest", "sandbox"];

/// Words that cannot be a crate's name: Rust's own, and the crates that the new one needs.
const TAKEN: &str = "\
    abstract alloc as async await become box break const continue core crate do dyn else enum extern false \
    final fn for gen if impl in let loop macro match mod move mut override priv proc-macro pub ref return \
    self serde serde-json static std struct super test tokio trait true try type unsafe";

/// The options of `tulbur new-provider`.
#[derive(Debug, Args)]
#[command(after_help = "\
The crate compiles and passes the conformance suite against a stand-in for the bank. What is to be written is marked
FILL IN. The book's page \"Write a provider\" goes on from there.

Examples:
  tulbur new-provider khur-bank --path ../tulbur
  tulbur new-provider khur-bank --path ../tulbur --into crates")]
pub(crate) struct Options {
    /// The provider's id and the crate's name: a-z, 0-9 and -, such as khur-bank
    name: String,
    /// Where Tulbur's repository is; nothing is published yet. The one that this command was built from if not given
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
    /// Where to make the crate's folder
    #[arg(long, value_name = "DIR", default_value = ".")]
    into: PathBuf,
}

pub(crate) fn run(options: &Options) -> Result<(), String> {
    let names = Names::parse(&options.name)?;
    let tulbur = repository(options.path.as_deref())?;
    let into = options.into.canonicalize().map_err(|error| {
        format!("--into {}: {error}; it must be a folder that exists", options.into.display())
    })?;
    let folder = into.join(&names.kebab);
    let files = FILES.map(|(file, text)| (file, names.fill(text).replace("TULBUR", &tulbur)));
    let marks: usize = files.iter().map(|(_, text)| text.matches("FILL IN").count()).sum();
    write(&folder, &files)?;
    let mut lines = vec![
        format!(
            "Made {}. It compiles. What is to be written is marked FILL IN, in {marks} places.",
            folder.display()
        ),
        String::new(),
        format!("  cd {}", folder.display()),
        "  cargo test".to_owned(),
    ];
    if let Some(workspace) = workspace_around(&into) {
        let workspace = workspace.display();
        lines.push(format!(
            "\n{workspace} is a workspace: name the new folder in its `members` or its `exclude` first."
        ));
    }
    crate::print(&lines.join("\n"))
}

/// One name in its four spellings.
#[derive(Debug)]
struct Names {
    kebab: String,
    snake: String,
    camel: String,
    title: String,
}

impl Names {
    fn parse(name: &str) -> Result<Self, String> {
        ProviderId::parse(name).map_err(|error| {
            let shown: String = name.chars().take(64).collect();
            format!("`{}`: {error}. Try something like khur-bank", shown.escape_debug())
        })?;
        if name.ends_with('-') || name.contains("--") {
            return Err(format!("`{name}` must not end with a hyphen or have two in a row"));
        }
        if TAKEN.split(' ').any(|word| word == name) || name.starts_with("tulbur") {
            return Err(format!("`{name}` cannot be the name of a provider's crate; try {name}-bank"));
        }
        let words: Vec<String> = name.split('-').map(capitalised).collect();
        let mut camel = words.concat();
        // A provider called `config` must not clash with what the template calls so.
        if camel != "MyBank"
            && FILES
                .iter()
                .any(|(_, text)| text.split(|c: char| !c.is_alphanumeric()).any(|word| word == camel))
        {
            camel.push_str("Bank");
        }
        Ok(Self { kebab: name.into(), snake: name.replace('-', "_"), camel, title: words.join(" ") })
    }

    fn fill(&self, text: &str) -> String {
        text.replace("my-bank", &self.kebab)
            .replace("my_bank", &self.snake)
            .replace("MyBank", &self.camel)
            .replace("My Bank", &self.title)
    }
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

/// The repository's folder, as it can stand between the quotes of a TOML text.
fn repository(given: Option<&Path>) -> Result<String, String> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    let path = given.or(own).unwrap_or(Path::new("."));
    let missing = CRATES.iter().find(|name| !path.join(name).join("Cargo.toml").is_file());
    if let Some(missing) = missing {
        let path = path.display();
        return Err(match given {
            Some(_) => format!(
                "--path {path}: there is no {missing}/Cargo.toml; give the folder of Tulbur's repository"
            ),
            None => format!(
                "{path}, from which this command was built, is no longer there; say with --path where Tulbur's repository is"
            ),
        });
    }
    let path = path.canonicalize().map_err(|error| format!("--path {}: {error}", path.display()))?;
    let text = path.to_str().ok_or_else(|| {
        format!("--path {}: it is not UTF-8, and Cargo.toml cannot name it; move it", path.display())
    })?;
    let quoted = serde_json::to_string(text).map_err(|error| error.to_string())?;
    Ok(quoted[1..quoted.len() - 1].to_owned())
}

/// Writes the files into a new folder. Nothing is left of it if that fails.
fn write(folder: &Path, files: &[(&str, String)]) -> Result<(), String> {
    fs::create_dir(folder).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            format!(
                "{} is there already, and nothing in it was changed; choose another name or --into",
                folder.display()
            )
        }
        _ => format!("cannot make {}: {error}", folder.display()),
    })?;
    let written = files.iter().try_for_each(|(file, text)| {
        let path = folder.join(file);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, text)
    });
    written.map_err(|error| {
        // The first failure is what matters.
        let _ = fs::remove_dir_all(folder);
        format!("cannot write into {}: {error}; nothing of it is left", folder.display())
    })
}

/// The manifest of a workspace that cargo would find around a new folder here.
fn workspace_around(folder: &Path) -> Option<PathBuf> {
    let manifests = folder.ancestors().map(|folder| folder.join("Cargo.toml"));
    let is_workspace = |manifest: &PathBuf| {
        let text = fs::read_to_string(manifest).unwrap_or_default();
        text.lines().any(|line| line.trim_start().starts_with("[workspace"))
    };
    manifests.into_iter().find(is_workspace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelt_in_four_ways_and_bad_ones_are_refused() {
        let names = Names::parse("khur-bank-24").unwrap();
        assert_eq!((names.snake.as_str(), names.camel.as_str()), ("khur_bank_24", "KhurBank24"));
        assert_eq!(names.title, "Khur Bank 24");
        for (clash, free) in [("config", "ConfigBank"), ("url", "UrlBank"), ("golomt", "Golomt")] {
            assert_eq!(Names::parse(clash).unwrap().camel, free);
        }
        let long = "a".repeat(65);
        for bad in [
            "",
            "Khur",
            "1bank",
            "khur_bank",
            "khur--bank",
            "khur-",
            "-khur",
            "../khur",
            "хур",
            "test",
            "async",
            "core",
            "tulbur-core",
            &long,
        ] {
            let error = Names::parse(bad).unwrap_err();
            assert!(
                !error.is_empty()
                    && (bad.is_empty() || error.contains(&bad[..bad.len().min(64)]) || bad == "хур"),
                "{bad}: {error}"
            );
        }
    }

    #[test]
    fn nothing_of_the_templates_own_name_is_left() {
        let names = Names::parse("other").unwrap();
        for (file, text) in FILES {
            let text = names.fill(text);
            assert!(!text.to_lowercase().replace(['-', '_', ' '], "").contains("mybank"), "{file}");
            assert!(text.contains("other"), "{file}");
        }
    }

    #[test]
    fn the_template_is_fewer_than_200_lines_and_says_what_to_do() {
        let crate_itself: usize = FILES[..2].iter().map(|(_, text)| text.lines().count()).sum();
        assert!(crate_itself < 200, "{crate_itself}");
        for (file, text) in &FILES[1..] {
            assert!(text.contains("FILL IN"), "{file}");
        }
    }
}
