//! The machines that QEMU makes, and the framebuffers that each has.

use std::path::Path;
use std::process::Command;

use super::case::Board;
use super::raspi;
use crate::failure::Result;
use crate::toolchain::{self, Target};

/// What a machine is made of, but for its screen.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) name: &'static str,
    /// What its programs are built for.
    pub(super) target: &'static Target,
    /// Debian's name of that.
    pub(super) architecture: &'static str,
    /// The program that makes it, and its package.
    pub(super) emulator: (&'static str, &'static str),
    arguments: &'static [&'static str],
    /// Kernel modules for the control channel, and how the guest finds that.
    pub(super) modules: &'static [&'static str],
    pub(super) control: &'static str,
    /// Its network: QEMU's device, kernel modules, Linux's name for it.
    nic: &'static str,
    pub(super) nic_modules: &'static [&'static str],
    pub(super) nic_name: &'static str,
    /// For the kernel's command line.
    words: &'static str,
}

/// A screen, as the machine has it and as Linux drives it.
#[derive(Debug)]
pub(super) struct Framebuffer {
    pub(super) name: &'static str,
    /// Bits per pixel.
    pub(super) depth: u32,
    machines: &'static [&'static str],
    /// The device with `{w}` and `{h}` for its size, and for the kernel: modules, and words of its command line.
    device: &'static str,
    pub(super) modules: &'static [&'static str],
    words: &'static str,
}

static MACHINES: [Machine; 3] = [
    Machine {
        name: "virt",
        target: &toolchain::AARCH64,
        architecture: "arm64",
        emulator: ("qemu-system-aarch64", "qemu-system-arm"),
        arguments: &["-M", "virt", "-cpu", "cortex-a72", "-smp", "2", "-m", "512"],
        modules: &["virtio_pci", "virtio_console"],
        control: "virtio",
        nic: "virtio-net-pci,romfile=",
        nic_modules: &["virtio_net"],
        nic_name: "eth0",
        words: "console=ttyAMA0",
    },
    Machine {
        name: "raspi3b",
        target: &toolchain::AARCH64,
        architecture: "arm64",
        emulator: ("qemu-system-aarch64", "qemu-system-arm"),
        arguments: &["-M", "raspi3b"],
        modules: &[],
        // The mini UART; the other serial port is the console.
        control: "ttyS0",
        nic: "usb-net",
        nic_modules: &["phy-generic", "dwc2", "cdc_ether"],
        nic_name: "usb0",
        // The clocks that QEMU's board does not name must go on.
        words: "console=ttyAMA0,115200 8250.nr_uarts=1 clk_ignore_unused",
    },
    Machine {
        name: "x86",
        target: &toolchain::X86_64,
        architecture: "amd64",
        emulator: ("qemu-system-x86_64", "qemu-system-x86"),
        arguments: &["-M", "pc", "-cpu", "max", "-smp", "2", "-m", "512"],
        modules: &["virtio_pci", "virtio_console"],
        control: "virtio",
        nic: "virtio-net-pci,romfile=",
        nic_modules: &["virtio_net"],
        nic_name: "eth0",
        words: "console=ttyS0",
    },
];

static FRAMEBUFFERS: [Framebuffer; 8] = [
    Framebuffer {
        name: "virtio",
        depth: 32,
        machines: &["virt", "x86"],
        device: "virtio-gpu-pci,xres={w},yres={h}",
        modules: &["virtio-gpu"],
        words: "",
    },
    Framebuffer {
        name: "cirrus",
        depth: 16,
        machines: &["virt", "x86"],
        // Its ROM is for PC firmware, and comes with the emulator of PCs alone.
        device: "cirrus-vga,romfile=",
        modules: &["cirrus"],
        words: "video={w}x{h}-16",
    },
    Framebuffer {
        name: "vga16",
        depth: 16,
        machines: &["x86"],
        device: "VGA",
        modules: &[],
        // VESA's mode 640x480 with 16 bits per pixel.
        words: "vga=0x311",
    },
    pi("pi16", 16),
    pi("pi24", 24),
    pi("pi32", 32),
    pi("pi32bgr", 32),
    Framebuffer {
        name: "none",
        depth: 0,
        machines: &["virt", "raspi3b", "x86"],
        device: "",
        modules: &[],
        words: "",
    },
];

const fn pi(name: &'static str, depth: u32) -> Framebuffer {
    Framebuffer { name, depth, machines: &["raspi3b"], device: "", modules: &[], words: "" }
}

impl Machine {
    pub(super) fn all() -> &'static [Self] {
        &MACHINES
    }

    pub(super) fn has(&self, fb: &Framebuffer) -> bool {
        fb.machines.contains(&self.name)
    }

    /// Whether its rows can be longer in memory than on the screen.
    pub(super) fn has_long_lines(&self) -> bool {
        self.name == "raspi3b"
    }
}

impl Framebuffer {
    pub(super) fn all() -> &'static [Self] {
        &FRAMEBUFFERS
    }

    /// What tells one layout of pixels from another: how many bits they have, and whether red is in the lowest.
    pub(super) fn pixels(&self) -> (u32, bool) {
        (self.depth, self.name == "pi32bgr")
    }
}

/// Where a guest's pieces are.
#[derive(Debug)]
pub(super) struct Pieces<'a> {
    /// The unpacked package of the kernel, and the kernel's release.
    pub(super) kernel: &'a Path,
    pub(super) release: &'a str,
    pub(super) initrd: &'a Path,
    /// For sockets, logs and what QEMU writes.
    pub(super) folder: &'a Path,
    /// The two ends of the cable to the other guest: this one's first.
    pub(super) cable: Option<[&'a Path; 2]>,
    /// Tells this guest's network address from the other's.
    pub(super) number: u8,
}

impl Board {
    /// What starts it. It waits for nothing: what it says before anybody listens is kept.
    pub(super) fn command(&self, pieces: &Pieces<'_>) -> Result<Command> {
        let (program, _) = self.machine.emulator;
        let mut command = dying_with_us(program);
        let at = |name: &str| pieces.folder.join(name).display().to_string();
        command.args(["-nodefaults", "-display", "none", "-no-reboot", "-accel", "tcg,thread=multi"]);
        command.args(self.machine.arguments);
        command.arg("-kernel").arg(pieces.kernel.join(format!("boot/vmlinuz-{}", pieces.release)));
        command.arg("-initrd").arg(pieces.initrd);
        command.args([
            "-chardev",
            &format!("file,id=console,path={}", at("console.log")),
            "-serial",
            "chardev:console",
        ]);
        command.args([
            "-chardev",
            &format!("socket,id=monitor,path={}", at("monitor")),
            "-mon",
            "chardev=monitor",
        ]);
        command.args(["-chardev", &format!("socket,id=control,path={}", at("control"))]);
        if self.machine.control == "virtio" {
            command.args([
                "-device",
                "virtio-serial-pci",
                "-device",
                "virtserialport,chardev=control,name=control",
            ]);
        } else {
            command.args(["-serial", "chardev:control"]);
        }
        if !self.fb.device.is_empty() {
            command.args(["-device", &self.with_size(self.fb.device)]);
        }
        if let Some([ours, theirs]) = pieces.cable {
            let end = |name: &str, path: &Path| format!("{name}.type=unix,{name}.path={}", path.display());
            command.args([
                "-netdev",
                &format!("dgram,id=cable,{},{}", end("local", ours), end("remote", theirs)),
            ]);
            let Machine { nic, .. } = self.machine;
            command.args(["-device", &format!("{nic},netdev=cable,mac=52:54:00:09:00:0{}", pieces.number)]);
        }
        if self.machine.name == "raspi3b" {
            raspi::add(&mut command, self, pieces)?;
        }
        // No cursor on the text console: it would blink. A kernel that gives up ends the machine.
        let words = "quiet panic=-1 cryptomgr.notests vt.global_cursor_default=0";
        let words = format!("{words} {} {}", self.machine.words, self.with_size(self.fb.words));
        command.args(["-append", words.trim_end()]);
        Ok(command)
    }

    fn with_size(&self, text: &str) -> String {
        text.replace("{w}", &self.width.to_string()).replace("{h}", &self.height.to_string())
    }
}

/// A program that the kernel ends when we die without having ended it ourselves.
fn dying_with_us(program: &str) -> Command {
    // Part of every Debian; where it is not, only being killed outright leaves a machine behind.
    if crate::process::find_program("setpriv").is_none() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", program]);
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process;

    fn board(machine: usize, fb: usize) -> Board {
        Board { machine: &MACHINES[machine], fb: &FRAMEBUFFERS[fb], width: 640, height: 480, line: 640 }
    }

    #[test]
    fn a_machine_is_started_with_its_screen_and_its_cable() {
        let [ours, theirs] = [Path::new("/f/cable-1"), Path::new("/f/cable-2")];
        let pieces = Pieces {
            kernel: Path::new("/k"),
            release: "6.1.0-9-arm64",
            initrd: Path::new("/i"),
            folder: Path::new("/f"),
            cable: Some([ours, theirs]),
            number: 2,
        };
        let line = process::shown(&board(0, 1).command(&pieces).unwrap());
        for part in [
            "-kernel /k/boot/vmlinuz-6.1.0-9-arm64",
            "-device cirrus-vga",
            "video=640x480-16",
            "local.path=/f/cable-1,remote.type=unix,remote.path=/f/cable-2",
            "mac=52:54:00:09:00:02",
            "file,id=console,path=/f/console.log",
        ] {
            assert!(line.contains(part), "{part} in {line}");
        }
    }

    #[test]
    fn every_machine_has_a_framebuffer_and_every_framebuffer_a_machine() {
        for machine in Machine::all() {
            assert!(FRAMEBUFFERS.iter().any(|fb| fb.depth > 0 && machine.has(fb)), "{}", machine.name);
        }
        for fb in Framebuffer::all() {
            assert!(
                fb.machines.iter().all(|name| MACHINES.iter().any(|machine| machine.name == *name)),
                "{}",
                fb.name
            );
        }
    }
}
