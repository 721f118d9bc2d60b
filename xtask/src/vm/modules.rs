//! The kernel's loadable modules: which others each needs, read from the module files themselves.
//!
//! Debian's package ships no `modules.dep`, that is made where it is installed. Each module file however tells in its
//! section `.modinfo` what it depends on (`depends=videodev,mc`), so the index is made here, of the modules that the
//! guest gets and no others.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};

const SUFFIX: &str = ".ko";
const DEPENDS: &[u8] = b"depends=";

/// All modules of a kernel, by name.
#[derive(Debug)]
pub(super) struct Modules {
    files: BTreeMap<String, PathBuf>,
}

/// One module with all that must be loaded before it, the last needed first, as `modules.dep` has them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Module {
    pub(super) name: String,
    pub(super) file: PathBuf,
    needs: Vec<String>,
}

impl Modules {
    /// Finds the modules below a folder.
    pub(super) fn find(folder: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        collect(folder, &mut files)?;
        if files.is_empty() {
            return Err(Failure::new(format!(
                "{} holds no kernel modules ({SUFFIX}). Remove that folder, and it is fetched again.",
                folder.display()
            )));
        }
        Ok(Self { files })
    }

    /// The modules of these names and all that they need.
    pub(super) fn closure(&self, wanted: &[&str]) -> Result<Vec<Module>> {
        let mut direct = BTreeMap::new();
        let mut ahead: Vec<String> = wanted.iter().map(|name| plain(name)).collect();
        while let Some(name) = ahead.pop() {
            if direct.contains_key(&name) {
                continue;
            }
            let file = self.files.get(&name).ok_or_else(|| {
                Failure::new(format!(
                    "This kernel has no module `{name}`; its package has changed since this was written."
                ))
            })?;
            let bytes =
                fs::read(file).map_err(|error| Failure::new(format!("{}: {error}.", file.display())))?;
            let needs = depends(&bytes);
            ahead.extend(needs.iter().cloned());
            direct.insert(name, needs);
        }
        let module = |name: &String| Module {
            name: name.clone(),
            file: self.files.get(name).cloned().unwrap_or_default(),
            needs: all_needed(name, &direct),
        };
        Ok(direct.keys().map(module).collect())
    }
}

/// The index that `modprobe` reads, for modules that lie in the index's own folder.
pub(super) fn index(modules: &[Module]) -> String {
    let line = |module: &Module| {
        let needs: Vec<String> = module.needs.iter().map(|name| format!(" {name}{SUFFIX}")).collect();
        format!("{}{SUFFIX}:{}\n", module.name, needs.concat())
    };
    modules.iter().map(line).collect()
}

/// What a module file says that it depends on.
fn depends(module: &[u8]) -> Vec<String> {
    // The section is a sequence of texts, each ended by a zero; nothing else in a module looks like this one.
    let text = module.split(|&byte| byte == 0).find_map(|text| text.strip_prefix(DEPENDS));
    let text = String::from_utf8_lossy(text.unwrap_or_default());
    text.split(',').filter(|name| !name.is_empty()).map(plain).collect()
}

/// Everything that `name` needs, directly or not: whatever is needed by another stands behind it.
fn all_needed(name: &str, direct: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut order: Vec<String> = Vec::new();
    let mut ahead: Vec<String> = direct.get(name).cloned().unwrap_or_default();
    ahead.reverse();
    while let Some(next) = ahead.pop() {
        // Met again: it must be loaded before the one that has just named it, so it moves to the end.
        order.retain(|known| *known != next);
        ahead.extend(direct.get(&next).into_iter().flatten().rev().cloned());
        order.push(next);
    }
    order
}

fn collect(folder: &Path, files: &mut BTreeMap<String, PathBuf>) -> Result {
    let fail = |error: std::io::Error| Failure::new(format!("{}: {error}.", folder.display()));
    for entry in fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if let Some(name) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(SUFFIX)) {
            files.insert(plain(name), path.clone());
        }
    }
    Ok(())
}

/// The kernel itself writes every module with underscores.
fn plain(name: &str) -> String {
    name.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::TemporaryFolder;

    fn made(modules: &[(&str, &str)]) -> (TemporaryFolder, Modules) {
        let folder = TemporaryFolder::make("modules").unwrap();
        let below = folder.path().join("drivers/usb");
        fs::create_dir_all(&below).unwrap();
        for (name, needs) in modules {
            let text = format!("\x7fELF\0junk\0license=GPL\0depends={needs}\0name={name}\0");
            fs::write(below.join(format!("{name}.ko")), text).unwrap();
        }
        let modules = Modules::find(folder.path()).unwrap();
        (folder, modules)
    }

    #[test]
    fn a_module_brings_what_it_needs_in_the_order_of_loading() {
        let (_folder, modules) = made(&[
            ("uvcvideo", "videodev,vb2-v4l2,mc"),
            ("vb2-v4l2", "videodev"),
            ("videodev", "mc"),
            ("mc", ""),
            ("other", ""),
        ]);
        let index = index(&modules.closure(&["uvcvideo"]).unwrap());
        let line = index.lines().find(|line| line.starts_with("uvcvideo.ko:")).unwrap();
        // Loaded from the end: `mc` first.
        assert_eq!(line, "uvcvideo.ko: vb2_v4l2.ko videodev.ko mc.ko");
        assert!(index.contains("mc.ko:\n") && !index.contains("other"), "{index}");
    }

    #[test]
    fn a_module_is_found_under_either_spelling() {
        let (_folder, modules) = made(&[("vhci-hcd", "usbip-core"), ("usbip-core", "")]);
        let names = |wanted: &str| -> Vec<String> {
            modules.closure(&[wanted]).unwrap().into_iter().map(|module| module.name).collect()
        };
        assert_eq!(names("vhci-hcd"), ["usbip_core", "vhci_hcd"]);
        assert_eq!(names("vhci_hcd"), names("vhci-hcd"));
    }

    #[test]
    fn a_module_that_is_not_there_is_named() {
        let (_folder, modules) = made(&[("mc", "")]);
        assert!(modules.closure(&["vivid"]).unwrap_err().to_string().contains("`vivid`"));
    }

    #[test]
    fn a_folder_without_modules_is_refused() {
        let folder = TemporaryFolder::make("modules").unwrap();
        assert!(Modules::find(folder.path()).unwrap_err().to_string().contains("no kernel modules"));
        assert!(Modules::find(&folder.path().join("gone")).is_err());
    }
}
