//! `cargo xtask deny`: licences, sources and second versions of what the project depends on, and, against a database that
//! it is given, known weaknesses. The rules stand in `deny.toml`.
//!
//! cargo-deny does the work. Building it takes longer than several steps of `ci` together, so this is no step of `ci`,
//! whose `tidy` looks at Cargo.lock without it. Nothing is fetched.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Result};
use crate::process;

/// Where `deny.toml` has cargo-deny look for databases, from the top folder on.
const DATABASES: &str = "target/advisories";
/// What cargo-deny calls the database of its own choice: a name and a hash of the address it would fetch it from.
const DATABASE: &str = "advisory-db-3157b0e258782691";
/// The version with which it was last run.
const VERSION: &str = "0.20.2";

/// The command.
pub(crate) fn run(arguments: &[String]) -> Result {
    let database = match arguments {
        [] => None,
        [option, folder] if option == "--db" => Some(Path::new(folder)),
        _ => {
            return Err(Failure::usage(
                "`deny` takes `--db DIR`, a clone of RustSec's advisory-db, or nothing.",
            ));
        }
    };
    if !process::succeeds(process::cargo().args(["deny", "--version"])) {
        return Err(Failure::new(missing()));
    }
    let mut command = process::cargo();
    command.args(["deny", "--offline", "check", "-D", "warnings", "bans", "licenses", "sources"]);
    if let Some(folder) = database {
        let of = link(folder, &process::root().join(DATABASES))?;
        println!("The database's newest entry is of {}.", date(&of)?);
        command.arg("advisories");
    } else {
        println!("Advisories are not looked at: that takes `--db DIR`, a clone of RustSec's advisory-db.");
    }
    process::run(&mut command)
}

/// Puts a database where cargo-deny looks for one; where it really is.
fn link(database: &Path, databases: &Path) -> Result<PathBuf> {
    let failed = |path: &Path, error| Failure::new(format!("{}: {error}.", path.display()));
    let real = fs::canonicalize(database).map_err(|error| failed(database, error))?;
    if !real.join("crates").is_dir() {
        let what = "is no database of advisories, which has a folder `crates`";
        return Err(Failure::new(format!("{} {what}.", real.display())));
    }
    fs::create_dir_all(databases).map_err(|error| failed(databases, error))?;
    let place = databases.join(DATABASE);
    match fs::remove_file(&place) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(&place, error)),
        _ => {}
    }
    symlink(&real, &place).map_err(|error| failed(&place, error))?;
    Ok(real)
}

fn date(database: &Path) -> Result<String> {
    let mut git = Command::new("git");
    let said = process::read(git.arg("-C").arg(database).args(["log", "-1", "--format=%cs"]))?;
    Ok(said.trim().into())
}

fn missing() -> String {
    format!(
        "Dependencies are checked by cargo-deny, which is not here. It is a tool, no part of the project; building it takes \
         six minutes of one processor:\n    cargo install cargo-deny --locked --version {VERSION}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::TemporaryFolder;

    #[test]
    fn a_given_database_takes_the_place_of_the_one_before() {
        let folder = TemporaryFolder::make("deny").unwrap();
        let place = folder.path().join("databases");
        for name in ["old", "new"] {
            let database = folder.path().join(name);
            fs::create_dir_all(database.join("crates").join(name)).unwrap();
            link(&database, &place).unwrap();
            assert!(place.join(DATABASE).join("crates").join(name).is_dir(), "{name}");
        }
        assert!(!place.join(DATABASE).join("crates/old").exists());
    }

    #[test]
    fn a_folder_that_is_no_database_is_refused() {
        let folder = TemporaryFolder::make("deny").unwrap();
        let place = folder.path().join("databases");
        let failure = link(folder.path(), &place).unwrap_err().to_string();
        assert!(failure.contains("no database"), "{failure}");
        assert!(link(&folder.path().join("absent"), &place).is_err());
        assert!(!place.exists());
    }

    #[test]
    fn a_command_line_that_makes_no_sense_is_refused() {
        for line in [&["--db"][..], &["folder"], &["--db", "a", "b"]] {
            let words: Vec<String> = line.iter().map(|&word| word.into()).collect();
            assert_eq!(run(&words).unwrap_err().exit_code(), 2, "{line:?}");
        }
    }
}
