//! A clock that jumps, and state that could be used twice (docs/protocol.md §14). A machine that is told to have slept
//! is in `silence`.

use sealcam_core::discard::Discard;
use sealcam_core::output::{Event, SessionEnd};

use crate::world::camera::SimClient;
use crate::world::display::SimServer;
use crate::world::keys::Pem;
use crate::world::network::Heading;
use crate::world::{Who, World, ms, secs, seed};

/// Puts one end's clock an hour forward; what it does next, it does then.
fn jump(world: &mut World, who: Who) {
    let clock = match who {
        Who::Display => &mut world.display.clock,
        Who::Camera(id) => &mut world.cameras[id].clock,
    };
    *clock = clock.jumped(secs(3600));
}

#[test]
fn an_hour_that_the_clock_jumps_is_the_end_of_the_session() {
    for who in [Who::Camera(0), Who::Display] {
        let mut world = World::new(seed(130));
        let id = world.add(Pem::Camera);
        world.stream(id, 30, 1000..=20_000);
        world.run_until_live(id, secs(2)).expect("a picture");
        // Kept back, so that both ends have packets yet to come.
        world.network.tap = Some(Vec::new());
        world.network.meddler = Some(Box::new(|_, _| false));
        world.run(ms(200));
        world.network.meddler = None;
        let kept = world.network.tap.replace(Vec::new()).unwrap();
        jump(&mut world, who);
        // Whether a packet comes first or the driver asks first: it is over.
        for sent in kept.iter().take(3) {
            let why = match (who, sent.heading) {
                (Who::Display, Heading::Up) => world.give_to_display(sent.from, sent.bytes.clone()),
                (Who::Camera(_), Heading::Down) => world.give_to_camera(id, sent.from, sent.bytes.clone()),
                _ => continue,
            };
            assert_eq!(why, Err(Discard::Expired), "{who:?}");
        }
        world.poll();
        let camera = world.cameras[id].fingerprint();
        let over = |event: &Event| {
            matches!(event, Event::Disconnected { camera: whose, why: SessionEnd::Silent | SessionEnd::KeysExpired }
                if *whose == camera)
        };
        assert_eq!(world.count(who, over), 1, "{who:?}");
        let heading = if who == Who::Display { Heading::Down } else { Heading::Up };
        let said = world.network.tap.iter().flatten();
        let said = said.filter(|sent| sent.heading == heading && sent.bytes[0] == 0x10);
        assert_eq!(said.count(), 0, "{who:?} seals nothing more under the old keys");
        world.run_until_live(id, secs(10)).expect("a new session");
        assert_eq!(world.display.opened, 2, "{who:?}: by a new handshake");
    }
}

/// Compiles only while `T` cannot be cloned: otherwise both implementations would fit, and the compiler could not
/// choose between them.
trait AmbiguousIfClone<A> {
    fn holds() {}
}

impl<T> AmbiguousIfClone<()> for T {}

struct Cloned;

impl<T: Clone> AmbiguousIfClone<Cloned> for T {}

#[test]
fn neither_side_can_be_cloned_or_copied() {
    <SimClient as AmbiguousIfClone<_>>::holds();
    <SimServer<2> as AmbiguousIfClone<_>>::holds();
}
