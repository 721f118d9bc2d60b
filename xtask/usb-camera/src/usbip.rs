//! The messages between a USB device and Linux's virtual host controller: parse what the kernel sends, emit what it
//! awaits.
//!
//! They are those of USB/IP after the import of a device (`Documentation/usb/usbip_protocol.rst` in the kernel's source).
//! Each begins with 48 bytes, twelve big-endian numbers; data and the descriptors of isochronous packets follow. What a
//! transfer means is not known here. The kernel is trusted to be the kernel, yet what makes no sense is refused.

use std::fmt;

/// Length of what each message begins with.
pub const HEADER_LEN: usize = 48;

/// Length of the descriptor of one isochronous packet.
pub const PACKET_DESCRIPTOR_LEN: usize = 16;

/// Longer transfers than this come from no driver that this camera could meet.
pub const MAX_TRANSFER_LEN: u32 = 1 << 20;

/// The kernel's own limit.
pub const MAX_PACKETS: u32 = 1024;

/// Commands of the kernel and, two higher, the answers to them.
mod command {
    pub(super) const SUBMIT: u32 = 1;
    pub(super) const UNLINK: u32 = 2;
    pub(super) const SUBMITTED: u32 = 3;
    pub(super) const UNLINKED: u32 = 4;
}

/// Not every sender writes 0 packets for a transfer that is not isochronous.
const NOT_ISOCHRONOUS: u32 = u32::MAX;

/// How a transfer or a packet of it ended: 0, or one of Linux's error numbers below zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Status {
    /// As it should.
    Done = 0,
    /// The device does not do that: EPIPE.
    Stalled = -32,
    /// A packet did not come through: EPROTO, as host controllers report it.
    Lost = -71,
    /// Taken back by the kernel before it was over: ECONNRESET.
    Unlinked = -104,
}

/// What the kernel asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A transfer.
    Submit(Submit),
    /// To take a transfer back.
    Unlink {
        /// This message's number, for the answer.
        seqnum: u32,
        /// The transfer's.
        victim: u32,
    },
}

/// A transfer that is to be carried out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Submit {
    /// Its number, for the answer and for taking it back.
    pub seqnum: u32,
    /// The number of the endpoint, without the direction.
    pub endpoint: u32,
    /// From the device to the host.
    pub to_host: bool,
    /// How many bytes: of `data`, or the room for what the device sends.
    pub len: usize,
    /// The packets of an isochronous transfer; none for the other kinds.
    pub packets: Vec<PacketRoom>,
    /// From one packet to the next, in microframes.
    pub interval: u32,
    /// The request, on endpoint 0.
    pub setup: [u8; 8],
    /// What the host sends.
    pub data: Vec<u8>,
}

/// Where a packet's bytes belong in the host's buffer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PacketRoom {
    /// From the buffer's start.
    pub offset: u32,
    /// At most so many.
    pub len: u32,
}

/// How one packet ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketDone {
    /// Where it belongs, as the host said.
    pub room: PacketRoom,
    /// How many bytes it has.
    pub len: u32,
    /// Whether it came through.
    pub status: Status,
}

/// A transfer that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// The number of the transfer.
    pub seqnum: u32,
    /// How it ended.
    pub status: Status,
    /// How many bytes went either way.
    pub len: usize,
    /// What the device sends; isochronous packets stand without gaps.
    pub data: Vec<u8>,
    /// How each isochronous packet ended.
    pub packets: Vec<PacketDone>,
}

impl Completion {
    /// The device has sent this.
    #[must_use]
    pub fn sent(seqnum: u32, data: Vec<u8>) -> Self {
        Self { seqnum, status: Status::Done, len: data.len(), data, packets: Vec::new() }
    }

    /// The device has taken what the host sent.
    #[must_use]
    pub fn taken(seqnum: u32, len: usize) -> Self {
        Self { seqnum, status: Status::Done, len, data: Vec::new(), packets: Vec::new() }
    }

    /// The device does not do that.
    #[must_use]
    pub fn stalled(seqnum: u32) -> Self {
        Self { seqnum, status: Status::Stalled, len: 0, data: Vec::new(), packets: Vec::new() }
    }

    /// Appends the message that tells the kernel.
    pub fn emit(&self, out: &mut Vec<u8>) {
        let errors = self.packets.iter().filter(|packet| packet.status != Status::Done).count();
        let fields = [self.status as u32, number(self.len), 0, number(self.packets.len()), number(errors)];
        emit_header(out, command::SUBMITTED, self.seqnum, fields);
        out.extend_from_slice(&self.data);
        for packet in &self.packets {
            for field in [packet.room.offset, packet.room.len, packet.len, packet.status as u32] {
                out.extend(field.to_be_bytes());
            }
        }
    }
}

/// Appends the answer to [`Message::Unlink`]: whether the transfer was still there to be taken back.
pub fn emit_unlinked(out: &mut Vec<u8>, seqnum: u32, was_there: bool) {
    let status = if was_there { Status::Unlinked } else { Status::Done };
    emit_header(out, command::UNLINKED, seqnum, [status as u32, 0, 0, 0, 0]);
}

/// A message that makes no sense, so that nothing that follows it would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No message begins so.
    Command(u32),
    /// Neither to the host nor from it.
    Direction(u32),
    /// A transfer of so many bytes.
    Length(u32),
    /// A transfer of so many packets.
    Packets(u32),
    /// A packet that lies outside its transfer's buffer.
    Room(PacketRoom),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(command) => write!(f, "unknown command {command:#x}"),
            Self::Direction(direction) => write!(f, "unknown direction {direction:#x}"),
            Self::Length(len) => write!(f, "a transfer of {len} bytes"),
            Self::Packets(count) => write!(f, "a transfer of {count} packets"),
            Self::Room(PacketRoom { offset, len }) => {
                write!(f, "a packet of {len} bytes at {offset}, outside its transfer")
            }
        }
    }
}

/// Bytes as they come, until they are messages.
#[derive(Debug, Default)]
pub struct Inbox(Vec<u8>);

impl Inbox {
    /// More bytes have come.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The next message that is there whole.
    ///
    /// # Errors
    /// When what comes next is no message. It stays where it is: the link is of no use any more.
    pub fn take(&mut self) -> Result<Option<Message>, Refusal> {
        let Some((message, len)) = parse(&self.0)? else { return Ok(None) };
        self.0.drain(..len);
        Ok(Some(message))
    }
}

/// The message at the start of these bytes, and its length; `None` if more must come first.
///
/// # Errors
/// When no further bytes could make a message of it.
pub fn parse(bytes: &[u8]) -> Result<Option<(Message, usize)>, Refusal> {
    let Some(head) = bytes.first_chunk::<HEADER_LEN>() else { return Ok(None) };
    let [command, seqnum, _device, direction, endpoint, fields @ ..] = numbers::<12>(head);
    match command {
        command::SUBMIT => {}
        command::UNLINK => {
            let [victim, ..] = fields;
            return Ok(Some((Message::Unlink { seqnum, victim }, HEADER_LEN)));
        }
        unknown => return Err(Refusal::Command(unknown)),
    }
    let [_flags, len, _start, count, interval, ..] = fields;
    let count = if count == NOT_ISOCHRONOUS { 0 } else { count };
    let to_host = match direction {
        0 => false,
        1 => true,
        unknown => return Err(Refusal::Direction(unknown)),
    };
    if len > MAX_TRANSFER_LEN {
        return Err(Refusal::Length(len));
    }
    if count > MAX_PACKETS {
        return Err(Refusal::Packets(count));
    }
    let (room, count) = (len as usize, count as usize);
    let sent = if to_host { 0 } else { room };
    let whole = HEADER_LEN + sent + count * PACKET_DESCRIPTOR_LEN;
    let Some(rest) = bytes.get(HEADER_LEN..whole) else { return Ok(None) };
    let (data, descriptors) = rest.split_at(sent);
    let packets = descriptors.as_chunks::<PACKET_DESCRIPTOR_LEN>().0.iter();
    let packets = packets.map(|bytes| packet_room(bytes, len)).collect::<Result<_, _>>()?;
    let setup = head.last_chunk::<8>().copied().unwrap_or_default();
    let submit =
        Submit { seqnum, endpoint, to_host, len: room, packets, interval, setup, data: data.to_vec() };
    Ok(Some((Message::Submit(submit), whole)))
}

fn packet_room(bytes: &[u8; PACKET_DESCRIPTOR_LEN], transfer_len: u32) -> Result<PacketRoom, Refusal> {
    let [offset, len, _actual, _status] = numbers::<4>(bytes);
    let room = PacketRoom { offset, len };
    let inside = offset.checked_add(len).is_some_and(|end| end <= transfer_len);
    inside.then_some(room).ok_or(Refusal::Room(room))
}

/// So many big-endian numbers; zeros where there are none.
fn numbers<const N: usize>(bytes: &[u8]) -> [u32; N] {
    let mut numbers = [0; N];
    let (quads, _) = bytes.as_chunks::<4>();
    numbers.iter_mut().zip(quads).for_each(|(number, quad)| *number = u32::from_be_bytes(*quad));
    numbers
}

/// Answers leave device, direction and endpoint empty: the kernel goes by the number.
fn emit_header(out: &mut Vec<u8>, command: u32, seqnum: u32, fields: [u32; 5]) {
    let head = [command, seqnum, 0, 0, 0].into_iter().chain(fields).chain([0, 0]);
    out.extend(head.flat_map(u32::to_be_bytes));
}

fn number(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
