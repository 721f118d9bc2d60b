//! Wrong tags without number (docs/protocol.md §8): at 2³² the session is closed for new keys, and not before.

use super::*;

const REKEY: SessionEnd = SessionEnd::ClosedByPeer(CloseReason::Rekey);

/// Something that the camera sealed, with a wrong tag.
fn forge_up(both: &mut Both) -> Result<bool, Discard> {
    let mut buf = [0; 1200];
    let channel = &mut both.client.link.as_mut().unwrap().channel;
    let len = channel.seal(both.now, &mut buf, |out| message::emit_ping(out, 1)).unwrap();
    buf[len - 1] ^= 1;
    both.server.handle_datagram(both.now, address(2), &mut buf[..len]).map(|frame| frame.is_some())
}

/// The same of the display.
fn forge_down(both: &mut Both) -> Result<(), Discard> {
    let mut buf = [0; 1200];
    let channel = both.server.channel().unwrap();
    let len = channel.seal(both.now, &mut buf, |out| message::emit_ping(out, 1)).unwrap();
    buf[len - 1] ^= 1;
    both.client.handle_datagram(both.now, address(1), &mut buf[..len])
}

#[test]
fn the_last_wrong_tag_that_is_borne_closes_the_session_at_the_display() {
    let mut both = Both::in_epoch(1);
    both.server.channel().unwrap().bear_forgeries_but(2);
    assert_eq!(forge_up(&mut both), Err(Discard::Tag));
    assert_eq!(both.verdict(), None, "one fewer changes nothing");
    assert_eq!(both.say(|out| chunk(out, shape(1, 1), 0)), Ok(true));
    assert_eq!(forge_up(&mut both), Err(Discard::Tag));
    assert_eq!(both.say(|out| chunk(out, shape(2, 1), 0)), Err(Discard::Closing));
    assert_eq!(both.verdict(), Some(REKEY));
}

#[test]
fn the_last_wrong_tag_that_is_borne_closes_the_session_at_the_camera() {
    let mut both = Both::in_epoch(1);
    both.client.link.as_mut().unwrap().channel.bear_forgeries_but(2);
    assert_eq!(forge_down(&mut both), Err(Discard::Tag));
    assert_eq!(both.counter_verdict(), None, "one fewer changes nothing");
    assert_eq!(both.hear(|out| message::emit_ping(out, 2)), Ok(()));
    assert_eq!(forge_down(&mut both), Err(Discard::Tag));
    assert_eq!(both.hear(|out| message::emit_ping(out, 3)), Err(Discard::Closing));
    assert_eq!(both.counter_verdict(), Some(REKEY));
}
