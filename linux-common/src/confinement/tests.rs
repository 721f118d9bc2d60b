//! Each test confines a thread of its own: it holds for that one and ends with it.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::mpsc::channel;
use std::thread;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;
use nix::sys::mman::ProtFlags;
use nix::sys::signal::kill;
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};
use nix::unistd::{Pid, chown};

use super::*;
use crate::exit::Exit;
use crate::scratch::Scratch;
use crate::state::State;
use crate::{addresses, resolve};

/// What `work` says in a thread that is confined so.
fn confined<T: Send>(confinement: &Confinement, work: impl FnOnce() -> T + Send) -> (Entered, T) {
    let inside = || (confinement.enter(), work());
    thread::scope(|scope| scope.spawn(inside).join().unwrap())
}

/// Whether Landlock can be seen to work here. It is the kernel's choice, and the program says so.
fn has_landlock(entered: &Entered) -> bool {
    if let Err(why) = &entered.files {
        println!("not seen here: {why}");
    }
    entered.files.is_ok()
}

fn errno<T>(result: io::Result<T>) -> Option<Errno> {
    result.err().and_then(|error| error.raw_os_error()).map(Errno::from_raw)
}

#[test]
fn thread_that_needs_nothing_computes_and_starts_threads_that_may_do_no_more() {
    let open = File::open("/dev/null").unwrap();
    let (entered, (sum, inner)) = confined(&Confinement::new(), || {
        let inner = thread::spawn(|| errno(File::open("/dev/null"))).join().unwrap();
        (vec![7_u64; 1 << 20].into_iter().sum::<u64>(), inner)
    });
    assert_eq!(entered.calls, Ok(()));
    assert_eq!((sum, inner), (7 << 20, Some(Errno::ENOSYS)));
    assert!(open.try_clone().is_ok() && File::open("/dev/null").is_ok(), "other threads are as they were");
}

#[test]
fn no_program_can_be_started_and_no_signal_sent_whatever_else_a_thread_may_do() {
    let all = Confinement::new().looks_names_up().changes("/").opens_devices("/dev").shows_a_window(&[]);
    let (_, (started, signalled)) =
        confined(&all, || (Command::new("/bin/true").status(), kill(Pid::parent(), None)));
    assert_eq!(errno(started), Some(Errno::ENOSYS));
    assert_eq!(signalled, Err(Errno::ENOSYS));
}

#[test]
fn nobody_is_signalled_by_way_of_what_is_open() {
    let all = Confinement::new().looks_names_up().changes("/").opens_devices("/dev").shows_a_window(&[]);
    for confinement in [Confinement::new(), all] {
        let (open, _other_end) = std::io::pipe().unwrap();
        let (_, (refused, plain)) = confined(&confinement, || {
            (sys::ways_to_signal(open.as_fd()), fcntl(&open, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)))
        });
        assert_eq!(refused.map(Result::err), [Some(Errno::ENOSYS); 6]);
        assert_eq!(plain, Ok(0));
    }
}

#[test]
fn memory_shared_with_a_desktop_holds_no_code() {
    let window = Confinement::new().shows_a_window(&[]);
    let (_, tried) = confined(&window, || (sys::share_memory(0), sys::share_memory(libc::SHM_EXEC)));
    assert_eq!(tried, (Ok(()), Err(Errno::ENOSYS)));
}

#[test]
fn data_never_becomes_code() {
    let rights = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    for confinement in [Confinement::new(), Confinement::new().looks_names_up()] {
        let (_, tried) = confined(&confinement, || {
            (sys::map(rights), sys::map(rights | ProtFlags::PROT_EXEC), sys::make_executable())
        });
        assert_eq!(tried, (Ok(()), Err(Errno::ENOSYS), Err(Errno::ENOSYS)));
    }
}

#[test]
fn files_are_read_below_the_paths_named_and_nowhere_else() {
    let (mine, other) = (Scratch::new(), Scratch::new());
    let file = |scratch: &Scratch| scratch.path().join("file");
    for scratch in [&mine, &other] {
        fs::write(file(scratch), "old").unwrap();
    }
    let (is_in, wait_for_it) = channel();
    let (replaced, wait_for_that) = channel();
    thread::scope(|scope| {
        let (mine, other) = (&mine, &other);
        let inside = scope.spawn(move || {
            let entered = Confinement::new().reads(mine.path()).enter();
            is_in.send(()).unwrap();
            wait_for_that.recv().unwrap();
            assert_eq!(fs::read(file(mine)).unwrap(), b"new", "another file by the same name");
            if has_landlock(&entered) {
                assert_eq!(errno(fs::read(file(other))), Some(Errno::EACCES));
                assert_eq!(errno(fs::read_dir(other.path())), Some(Errno::EACCES));
                assert_eq!(errno(fs::write(file(mine), "")), Some(Errno::EACCES));
            }
            assert_eq!(errno(fs::remove_file(file(mine))), Some(Errno::ENOSYS));
        });
        wait_for_it.recv().unwrap();
        fs::write(mine.path().join("next"), "new").unwrap();
        fs::rename(mine.path().join("next"), file(mine)).unwrap();
        replaced.send(()).unwrap();
        inside.join().unwrap();
    });
    assert_eq!(fs::read(file(&mine)).unwrap(), b"new");
}

#[test]
fn files_are_replaced_where_they_may_be_changed_and_removed_where_they_may_be_removed() {
    let (mine, other) = (Scratch::new(), Scratch::new());
    let state = State::open(Some(mine.path())).unwrap();
    let (entered, elsewhere) = confined(&Confinement::new().changes(mine.path()), || {
        state.lock().unwrap().replace("file", b"one").unwrap();
        state.lock().unwrap().replace("file", b"two").unwrap();
        fs::write(other.path().join("file"), "three")
    });
    assert_eq!(state.read("file", 3).unwrap().unwrap().as_slice(), b"two");
    if has_landlock(&entered) {
        assert_eq!(errno(elsewhere), Some(Errno::EACCES));
    }
    let (entered, made) = confined(&Confinement::new().removes(mine.path()), || {
        fs::remove_file(mine.path().join("file")).unwrap();
        fs::write(mine.path().join("file"), "three")
    });
    if has_landlock(&entered) {
        assert_eq!(errno(made), Some(Errno::EACCES));
        assert_eq!(fs::read_dir(mine.path()).unwrap().count(), 0);
    }
}

#[test]
fn devices_are_opened_for_writing_and_no_file_beside_them() {
    let scratch = Scratch::new();
    let (entered, file) = confined(&Confinement::new().opens_devices("/dev"), || {
        OpenOptions::new().read(true).write(true).open("/dev/null").unwrap();
        File::create(scratch.path().join("file"))
    });
    if has_landlock(&entered) {
        assert_eq!(errno(file), Some(Errno::EACCES));
    }
}

#[test]
fn nobody_types_into_a_terminal_in_its_user_s_place() {
    let terminal = nix::pty::openpty(None, None).unwrap();
    let (_, typed) =
        confined(&Confinement::new().controls_devices(), || sys::type_into(terminal.slave.as_fd()));
    assert_eq!(typed, Err(Errno::ENOSYS));
}

#[test]
fn sockets_that_are_open_go_on_and_no_other_is_opened() {
    let (ours, theirs) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let to = theirs.local_addr().unwrap();
    let (_, another) = confined(&Confinement::new().uses_sockets(), || {
        ours.send_to(b"datagram", to).unwrap();
        UdpSocket::bind("127.0.0.1:0")
    });
    let mut buf = [0; 16];
    assert_eq!(theirs.recv(&mut buf).unwrap(), 8);
    assert_eq!(errno(another), Some(Errno::ENOSYS));
}

#[test]
fn names_are_looked_up_as_before_and_sockets_opened_for_nothing_else() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    let free = addresses::reachable_at("[::]:5000".parse().unwrap());
    let unknown = resolve::lookup(&"nobody.invalid:5000".parse().unwrap());
    let (entered, ()) = confined(&Confinement::new().looks_names_up(), || {
        let found = resolve::lookup(&"localhost:5000".parse().unwrap()).unwrap();
        assert!(!found.is_empty() && found.iter().all(|address| address.ip().is_loopback()), "{found:?}");
        let failure = resolve::lookup(&"nobody.invalid:5000".parse().unwrap());
        assert_eq!(failure, unknown);
        assert_eq!(failure.unwrap_err().exit, Exit::Network);
        assert_eq!(addresses::reachable_at("[::]:5000".parse().unwrap()), free);
        for (family, kind) in
            [(AddressFamily::Packet, SockType::Datagram), (AddressFamily::Inet, SockType::Raw)]
        {
            let opened = socket(family, kind, SockFlag::empty(), None);
            assert_eq!(opened.map(drop), Err(Errno::ENOSYS), "{family:?} {kind:?}");
        }
        let audit =
            socket(AddressFamily::Netlink, SockType::Raw, SockFlag::empty(), SockProtocol::NetlinkAudit);
        assert_eq!(audit.map(drop), Err(Errno::ENOSYS));
    });
    let (_, connected) = confined(&Confinement::new().looks_names_up(), || TcpStream::connect(to));
    if has_landlock(&entered) && connected.is_err() {
        assert_eq!(errno(connected), Some(Errno::EACCES), "TCP is for name servers");
    }
}

#[test]
fn addresses_are_listed_as_before_and_no_other_socket_opened() {
    let free = addresses::reachable_at("[::]:5000".parse().unwrap());
    let (_, ()) = confined(&Confinement::new().lists_addresses(), || {
        assert_eq!(addresses::reachable_at("[::]:5000".parse().unwrap()), free);
        for family in [AddressFamily::Inet, AddressFamily::Inet6, AddressFamily::Unix] {
            let opened = socket(family, SockType::Datagram, SockFlag::empty(), None);
            assert_eq!(opened.map(drop), Err(Errno::ENOSYS), "{family:?}");
        }
    });
}

#[test]
fn no_capability_is_left_but_what_root_needs_for_the_files_of_others() {
    let scratch = Scratch::new();
    let left = |confinement: &Confinement| confined(confinement, || ()).0.capabilities.unwrap();
    assert_eq!(left(&Confinement::new().reads(scratch.path())), Vec::<String>::new());
    if !Uid::effective().is_root() {
        return;
    }
    assert_eq!(left(&Confinement::new().switches_consoles()), ["CAP_SYS_TTY_CONFIG"]);
    chown(scratch.path(), Some(Uid::from_raw(65534)), None).unwrap();
    assert_eq!(left(&Confinement::new().reads(scratch.path())), ["CAP_DAC_READ_SEARCH"]);
    let state = State::open(Some(scratch.path())).unwrap();
    let changes = Confinement::new().changes(scratch.path());
    let (_, ()) = confined(&changes, || state.lock().unwrap().replace("file", b"one").unwrap());
    assert_eq!(state.read("file", 3).unwrap().unwrap().as_slice(), b"one");
}

#[test]
fn what_the_kernel_lacks_is_told() {
    let nothing = Entered { files: Ok(()), calls: Ok(()), capabilities: Ok(Vec::new()) };
    assert!(nothing.lines()[0].starts_with("Confined: files by Landlock; system calls by seccomp."));
    let entered = Entered { files: Err("this kernel has no Landlock".to_owned()), ..nothing };
    assert!(
        entered.lines()[0].starts_with("Confined: files not: this kernel has no Landlock; system calls by")
    );
    let entered = Entered { capabilities: Err("why".to_owned()), ..entered };
    assert!(entered.lines()[1].contains("why"));
}
