//! V4L2 as the kernel has it: the calls that the v4l crate lacks or that panic in it on odd devices, and streaming
//! through mapped buffers.
//!
//! This file alone of the program holds unsafe code. It decides nothing: which device, which format, what a frame is
//! and what a failure means are its caller's business.

use std::io;
use std::marker::PhantomData;
use std::mem;
use std::os::fd::BorrowedFd;
use std::ptr::{self, NonNull};
use std::slice;

use nix::libc::{MAP_SHARED, PROT_READ, off_t};
use nix::sys::time::TimeVal;
use v4l::v4l2::{self, vidioc};
use v4l::{Device, v4l_sys};

/// The one buffer type used: single-planar video capture.
const CAPTURE: u32 = v4l_sys::v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE;
const MMAP: u32 = v4l_sys::v4l2_memory_V4L2_MEMORY_MMAP;

/// With fewer the driver has nowhere to put the next frame while one is read.
const MIN_BUFFERS: usize = 2;

/// What a device says it is (VIDIOC_QUERYCAP). The v4l crate panics on names that are not UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) driver: String,
    pub(super) card: String,
    /// Where it is plugged in.
    pub(super) bus: String,
    /// What this node can do; the device's other nodes (metadata, output) have their own.
    device_caps: u32,
}

impl Identity {
    /// Whether this node gives pictures into buffers: a camera, not its metadata node nor a codec.
    pub(super) fn is_capture(&self) -> bool {
        let needed = v4l_sys::V4L2_CAP_VIDEO_CAPTURE | v4l_sys::V4L2_CAP_STREAMING;
        self.device_caps & needed == needed
    }
}

/// A pixel format that a device offers (VIDIOC_ENUM_FMT).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PixelFormat {
    pub(super) fourcc: v4l::FourCC,
    pub(super) description: String,
}

/// Reads what the device says it is.
pub(super) fn identify(device: &Device) -> io::Result<Identity> {
    // SAFETY: v4l2_capability is a C struct of integers and byte arrays, for which zero is a valid value.
    let mut caps: v4l_sys::v4l2_capability = unsafe { mem::zeroed() };
    QUERYCAP.call(device, &mut caps)?;
    let device_caps = if caps.capabilities & v4l_sys::V4L2_CAP_DEVICE_CAPS != 0 {
        caps.device_caps
    } else {
        caps.capabilities
    };
    Ok(Identity {
        driver: text(&caps.driver),
        card: text(&caps.card),
        bus: text(&caps.bus_info),
        device_caps,
    })
}

/// The pixel formats that the device can capture.
pub(super) fn formats(device: &Device) -> Vec<PixelFormat> {
    let mut formats = Vec::new();
    // A driver that never says "no more" must not hold us here.
    for index in 0..256 {
        // SAFETY: v4l2_fmtdesc is a C struct of integers and a byte array, for which zero is a valid value.
        let mut desc: v4l_sys::v4l2_fmtdesc = unsafe { mem::zeroed() };
        desc.index = index;
        desc.type_ = CAPTURE;
        if ENUM_FMT.call(device, &mut desc).is_err() {
            break;
        }
        formats.push(PixelFormat { fourcc: desc.pixelformat.into(), description: text(&desc.description) });
    }
    formats
}

/// Asks for a format and size; says which the driver took, which may be others.
pub(super) fn set_format(
    device: &Device,
    width: u32,
    height: u32,
    fourcc: v4l::FourCC,
) -> io::Result<(u32, u32, v4l::FourCC)> {
    // SAFETY: v4l2_format is a C struct of an integer and a union of C structs; all-zero is valid for each of them
    // (the pointers in them are nullable).
    let mut format: v4l_sys::v4l2_format = unsafe { mem::zeroed() };
    format.type_ = CAPTURE;
    format.fmt.pix = v4l::Format::new(width, height, fourcc).into();
    S_FMT.call(device, &mut format)?;
    // SAFETY: for this buffer type the union holds `pix`, which any bytes are valid for.
    let pix = unsafe { format.fmt.pix };
    Ok((pix.width, pix.height, pix.pixelformat.into()))
}

/// A device that streams into buffers which this process has mapped. Dropping it stops the stream, whatever state
/// the device is in.
pub(super) struct Stream {
    // Unmapped before the device is closed: fields are dropped in this order.
    buffers: Vec<Mapping>,
    device: Device,
}

/// A buffer that the driver has filled and does not touch until it gets it back by [`Stream::give_back`].
#[derive(Debug)]
pub(super) struct Filled {
    index: u32,
    len: usize,
    /// The driver says that the content is damaged.
    pub(super) is_damaged: bool,
    /// The driver's count of frames; jumps where it lost some.
    pub(super) sequence: u32,
    /// When the frame was taken, if the driver says so on CLOCK_MONOTONIC.
    pub(super) timestamp: Option<TimeVal>,
}

impl Stream {
    /// Maps `count` buffers (the driver may decide for more or fewer), gives them all to the driver and starts.
    pub(super) fn start(device: Device, count: u32) -> io::Result<Self> {
        let mut stream = Self { buffers: Vec::new(), device };
        let count = stream.request(count)?;
        for index in 0..count {
            let buffer = stream.map(index)?;
            stream.buffers.push(buffer);
        }
        if stream.buffers.len() < MIN_BUFFERS {
            return Err(io::Error::other("the driver gives fewer than two buffers"));
        }
        for index in 0..count {
            stream.queue(index)?;
        }
        let mut kind = CAPTURE;
        STREAMON.call(&stream.device, &mut kind)?;
        Ok(stream)
    }

    /// The device's file descriptor, to poll.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        device_fd(&self.device)
    }

    /// The next buffer that the driver has filled; `None` if there is none yet. Never blocks.
    pub(super) fn filled(&self) -> io::Result<Option<Filled>> {
        let mut buffer = describe(0);
        match DQBUF.call(&self.device, &mut buffer) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(e) => return Err(e),
        }
        let is_monotonic = buffer.flags & v4l_sys::V4L2_BUF_FLAG_TIMESTAMP_MASK
            == v4l_sys::V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC;
        Ok(Some(Filled {
            index: buffer.index,
            len: buffer.bytesused as usize,
            is_damaged: buffer.flags & v4l_sys::V4L2_BUF_FLAG_ERROR != 0,
            sequence: buffer.sequence,
            timestamp: is_monotonic.then(|| TimeVal::new(buffer.timestamp.tv_sec, buffer.timestamp.tv_usec)),
        }))
    }

    /// What the driver put into a buffer.
    pub(super) fn bytes(&self, filled: &Filled) -> &[u8] {
        let Some(mapping) = self.buffers.get(filled.index as usize) else { return &[] };
        // SAFETY: the mapping is `mapping.len` readable bytes that live as long as `self`, which is borrowed. The
        // driver does not write to them, since the buffer is dequeued for as long as a `Filled` exists: it cannot be
        // cloned and is given up on the way back.
        let whole = unsafe { slice::from_raw_parts(mapping.start.as_ptr(), mapping.len) };
        whole.get(..filled.len).unwrap_or(whole)
    }

    /// Gives a buffer back to the driver.
    pub(super) fn give_back(&self, filled: Filled) -> io::Result<()> {
        self.queue(filled.index)
    }

    fn request(&self, count: u32) -> io::Result<u32> {
        // SAFETY: v4l2_requestbuffers is a C struct of integers, for which zero is a valid value.
        let mut request: v4l_sys::v4l2_requestbuffers = unsafe { mem::zeroed() };
        request.count = count;
        request.type_ = CAPTURE;
        request.memory = MMAP;
        REQBUFS.call(&self.device, &mut request)?;
        Ok(request.count)
    }

    fn map(&self, index: u32) -> io::Result<Mapping> {
        let mut buffer = describe(index);
        QUERYBUF.call(&self.device, &mut buffer)?;
        let len = buffer.length as usize;
        // SAFETY: for memory V4L2_MEMORY_MMAP the union holds `offset`, which any bytes are valid for. Where off_t has
        // 32 bits too, the kernel takes it as unsigned.
        let offset = unsafe { buffer.m.offset } as off_t;
        let fd = self.device.handle().fd();
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory that is in use; the length
        // and offset are those that the driver gave for this buffer.
        let start = unsafe { v4l2::mmap(ptr::null_mut(), len, PROT_READ, MAP_SHARED, fd, offset) }?;
        let start =
            NonNull::new(start.cast()).ok_or_else(|| io::Error::other("a buffer was mapped at address 0"))?;
        Ok(Mapping { start, len })
    }

    fn queue(&self, index: u32) -> io::Result<()> {
        QBUF.call(&self.device, &mut describe(index))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut kind = CAPTURE;
        // After an unplug this fails, and there is nothing left to stop. Closing the device frees its buffers.
        let _ = STREAMOFF.call(&self.device, &mut kind);
    }
}

/// Memory shared with the driver.
struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: a mapping is plain memory of the process, at the same address in all its threads.
unsafe impl Send for Mapping {}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: start and length are those of a mapping made in `Stream::map`; slices of it borrow the stream that
        // owns it, so none is left.
        let unmapped = unsafe { v4l2::munmap(self.start.as_ptr().cast(), self.len) };
        // It fails only for wrong arguments.
        debug_assert!(unmapped.is_ok());
    }
}

/// The device's file descriptor.
pub(super) fn device_fd(device: &Device) -> BorrowedFd<'_> {
    // SAFETY: the device keeps its descriptor open for as long as it lives, and it is borrowed.
    unsafe { BorrowedFd::borrow_raw(device.handle().fd()) }
}

fn describe(index: u32) -> v4l_sys::v4l2_buffer {
    // SAFETY: v4l2_buffer is a C struct of integers and unions of integers and nullable pointers, for which zero is a
    // valid value.
    let mut buffer: v4l_sys::v4l2_buffer = unsafe { mem::zeroed() };
    buffer.index = index;
    buffer.type_ = CAPTURE;
    buffer.memory = MMAP;
    buffer
}

/// An ioctl request and the type of its argument.
struct Ioctl<T> {
    request: vidioc::_IOC_TYPE,
    argument: PhantomData<T>,
}

const QUERYCAP: Ioctl<v4l_sys::v4l2_capability> = Ioctl::new(vidioc::VIDIOC_QUERYCAP);
const ENUM_FMT: Ioctl<v4l_sys::v4l2_fmtdesc> = Ioctl::new(vidioc::VIDIOC_ENUM_FMT);
const S_FMT: Ioctl<v4l_sys::v4l2_format> = Ioctl::new(vidioc::VIDIOC_S_FMT);
const REQBUFS: Ioctl<v4l_sys::v4l2_requestbuffers> = Ioctl::new(vidioc::VIDIOC_REQBUFS);
const QUERYBUF: Ioctl<v4l_sys::v4l2_buffer> = Ioctl::new(vidioc::VIDIOC_QUERYBUF);
const QBUF: Ioctl<v4l_sys::v4l2_buffer> = Ioctl::new(vidioc::VIDIOC_QBUF);
const DQBUF: Ioctl<v4l_sys::v4l2_buffer> = Ioctl::new(vidioc::VIDIOC_DQBUF);
const STREAMON: Ioctl<u32> = Ioctl::new(vidioc::VIDIOC_STREAMON);
const STREAMOFF: Ioctl<u32> = Ioctl::new(vidioc::VIDIOC_STREAMOFF);

impl<T> Ioctl<T> {
    /// Bits 16 to 29 of a request are the size of its argument: all that the kernel reads or writes.
    const fn new(request: vidioc::_IOC_TYPE) -> Self {
        assert!((request >> 16) & 0x3FFF == mem::size_of::<T>() as vidioc::_IOC_TYPE);
        Self { request, argument: PhantomData }
    }

    /// Makes the call, again after an interruption.
    fn call(&self, device: &Device, argument: &mut T) -> io::Result<()> {
        let fd = device.handle().fd();
        loop {
            // SAFETY: the kernel reads and writes no more than the size in the request, which is that of `T`
            // (`Ioctl::new`), borrowed mutably meanwhile; with the buffer type and memory used in this file, no
            // request of the table above makes it follow a pointer in the argument.
            let done = unsafe { v4l2::ioctl(fd, self.request, ptr::from_mut(argument).cast()) };
            match done {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    // The camera's maker chose it, or somebody who built one for this: it goes to terminals.
    let text = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default());
    text.trim().chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_at_zero_and_need_not_be_utf8() {
        assert_eq!(text(b"HD Webcam\0\0rest"), "HD Webcam");
        assert_eq!(text(b"no end"), "no end");
        assert_eq!(text(b"Cam\x1B[2J\n"), "Cam?[2J");
        // A name cut off at 32 bytes within a character.
        assert_eq!(text(b"Cam\xC3"), "Cam\u{FFFD}");
    }

    #[test]
    fn metadata_nodes_are_no_cameras() {
        let node = |device_caps| Identity {
            driver: String::new(),
            card: String::new(),
            bus: String::new(),
            device_caps,
        };
        assert!(node(v4l_sys::V4L2_CAP_VIDEO_CAPTURE | v4l_sys::V4L2_CAP_STREAMING).is_capture());
        assert!(!node(v4l_sys::V4L2_CAP_META_CAPTURE | v4l_sys::V4L2_CAP_STREAMING).is_capture());
        assert!(!node(v4l_sys::V4L2_CAP_VIDEO_M2M | v4l_sys::V4L2_CAP_STREAMING).is_capture());
        assert!(!node(0).is_capture());
    }
}
