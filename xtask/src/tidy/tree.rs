//! The rules for the tree as a whole: sizes, licences, traces of one machine, and what Cargo.lock holds.

use super::Finding;

/// Larger things are made when they are needed, or do not belong here.
const MAX_FILE_BYTES: usize = 300_000;

const LICENCES: [&str; 2] = ["LICENSE-MIT", "LICENSE-APACHE"];

/// The one source of dependencies that Cargo.lock may name.
const CRATE_INDEX: &str = concat!("registry+https://github.com/rust-lang/crates", ".io-index");

/// Two versions of one of these would mean two families that do not share traits, and twice the code to trust.
const CRYPTO_FAMILY: [&str; 19] = [
    "aes",
    "chacha20",
    "cipher",
    "crypto-bigint",
    "crypto-common",
    "ctr",
    "curve25519-dalek",
    "der",
    "digest",
    "hkdf",
    "hmac",
    "ml-kem",
    "pkcs8",
    "rand_core",
    "rsa",
    "sha2",
    "subtle",
    "x25519-dalek",
    "zeroize",
];

/// Directories that are another machine's, or nobody's.
const MACHINE_FOLDERS: [&str; 5] = ["/home/", "/root/", "/tmp/", "/Users/", "/work/"];

/// Package registries and mirrors are the business of the machine's configuration.
const REGISTRY_HOSTS: [&str; 6] = [
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("npmjs", ".org"),
    concat!("deb.debian", ".org"),
    concat!("static.rust-lang", ".org"),
    concat!("proxy.golang", ".org"),
];

/// Both licence texts are there.
pub(super) fn licences(paths: &[&str]) -> Vec<Finding> {
    let missing = LICENCES.iter().filter(|licence| !paths.contains(licence));
    missing.map(|licence| Finding::new(licence, 0, "the licence text is missing")).collect()
}

/// No file is large.
pub(super) fn size(path: &str, bytes: usize) -> Option<Finding> {
    let message = format!("{} kB; a file has at most {}", bytes / 1000, MAX_FILE_BYTES / 1000);
    (bytes > MAX_FILE_BYTES).then(|| Finding::new(path, 0, message))
}

/// No path of one machine and no registry's host. From line `examples_from` on, a person's directories may be shown or
/// made up: in documents everywhere, in Rust files in their tests.
pub(super) fn machine_names(path: &str, text: &str, examples_from: usize) -> Vec<Finding> {
    // The list itself is not an offence.
    let own_list = path == "xtask/src/tidy/tree.rs";
    let mut findings = Vec::new();
    for (at, line) in text.lines().enumerate().take_while(|_| !own_list) {
        let mut find = |message: String| findings.push(Finding::new(path, at + 1, message));
        let example = |folder: &str| at >= examples_from && folder != "/work/";
        for folder in MACHINE_FOLDERS.iter().filter(|folder| starts_a_path(line, folder) && !example(folder))
        {
            find(format!("names a folder of one machine: {folder}"));
        }
        let line = line.replace(CRATE_INDEX, "");
        for host in REGISTRY_HOSTS.iter().filter(|host| line.contains(**host)) {
            find(format!("names a package registry: {host}"));
        }
    }
    findings
}

/// Cargo.lock takes everything from the one index, and one version of each crate of the crypto family.
pub(super) fn lock(path: &str, text: &str) -> Vec<Finding> {
    let value = |line: &str, key: &str| {
        let value = line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"');
        value.map(String::from)
    };
    let mut findings = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if value(line, "source").is_some_and(|source| source != CRATE_INDEX) {
            findings.push(Finding::new(path, at + 1, "a dependency from elsewhere than the public index"));
        }
        let Some(name) = value(line, "name") else { continue };
        if CRYPTO_FAMILY.contains(&name.as_str()) && names.contains(&name) {
            findings.push(Finding::new(path, at + 1, format!("a second version of the crate {name}")));
        }
        names.push(name);
    }
    findings
}

/// Each release candidate in Cargo.lock is asked for by that very version: the next one may break what was looked at.
pub(super) fn candidates(path: &str, lock: &str, manifest: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, line) in lock.lines().enumerate() {
        let version = line.strip_prefix("version = \"").and_then(|rest| rest.strip_suffix('"'));
        // What follows a plus is no part of the order of versions.
        let candidate = version.filter(|version| version.split('+').next().is_some_and(|v| v.contains('-')));
        let pinned = |version: &str| manifest.contains(&format!("\"={version}\""));
        if let Some(version) = candidate.filter(|version| !pinned(version)) {
            let message = format!("the release candidate {version} is not pinned with `=` in Cargo.toml");
            findings.push(Finding::new(path, at + 1, message));
        }
    }
    findings
}

/// Whether an absolute path in the line starts with this folder.
fn starts_a_path(line: &str, folder: &str) -> bool {
    let within = |c: char| c.is_alphanumeric() || "._-$/}".contains(c);
    line.match_indices(folder)
        .any(|(at, _)| !line.get(..at).and_then(|before| before.chars().next_back()).is_some_and(within))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_file_is_found() {
        assert_eq!(size("a.png", MAX_FILE_BYTES), None);
        assert!(size("a.png", MAX_FILE_BYTES + 1).is_some());
    }

    #[test]
    fn a_missing_licence_is_found() {
        assert_eq!(licences(&["LICENSE-MIT", "LICENSE-APACHE"]), []);
        assert_eq!(licences(&["LICENSE-MIT", "docs/LICENSE-APACHE"]).len(), 1);
    }

    #[test]
    fn a_machines_folder_is_found_in_code_but_not_in_examples() {
        let text = "//! A.\nconst A: &str = \"/home/me/key\";\n#[cfg(test)]\nmod tests {\n    const B: &str = \"/tmp/x\";\n}\n";
        let lines: Vec<_> =
            machine_names("a/src/b.rs", text, 2).into_iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [2]);
        assert_eq!(machine_names("README.md", "snapshot:/tmp/picture.png\n", 0), []);
        assert_eq!(machine_names("README.md", "see /work/notes\n", 0).len(), 1);
        assert_eq!(machine_names("a/src/b.rs", "frame/work/out ${dir}/tmp/x $HOME/root/y\n", 1), []);
    }

    #[test]
    fn a_registrys_host_is_found_and_the_lock_files_index_is_not() {
        assert_eq!(machine_names("a.toml", "index = \"https://index.crates.io/\"\n", 0).len(), 1);
        assert_eq!(machine_names("Cargo.lock", &format!("source = \"{CRATE_INDEX}\"\n"), 0), []);
    }

    #[test]
    fn a_second_version_of_a_crypto_crate_is_found() {
        let text = "name = \"aes\"\nname = \"nix\"\nname = \"nix\"\nname = \"aes\"\n";
        let lines: Vec<_> = lock("Cargo.lock", text).into_iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [4]);
    }

    #[test]
    fn a_release_candidate_that_is_not_pinned_is_found() {
        let lock = "version = 4\nversion = \"1.0.0-rc.2\"\nversion = \"1.0.0\"\nversion = \"0.4.15+1-2\"\n";
        assert_eq!(candidates("Cargo.lock", lock, "rsa = { version = \"=1.0.0-rc.2\" }\n"), []);
        for manifest in ["rsa = \"1.0.0-rc.2\"\n", "rsa = \"=1.0.0-rc.20\"\n", ""] {
            let found = candidates("Cargo.lock", lock, manifest);
            assert_eq!(found.iter().map(|finding| finding.line).collect::<Vec<_>>(), [2], "{manifest}");
        }
    }

    #[test]
    fn a_dependency_from_elsewhere_is_found() {
        let text = format!("source = \"{CRATE_INDEX}\"\nsource = \"git+https://example.org/a\"\n");
        let lines: Vec<_> = lock("Cargo.lock", &text).into_iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [2]);
    }
}
