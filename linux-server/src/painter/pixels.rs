//! Painting for sinks that want pixels: the newest picture as long as it is live, else a statement.

use std::fmt::Write;
use std::time::Duration;

use sealcam_core::time::Instant;

use super::decoding::{Decoded, Decoding};
use super::freshness::Freshness;
use super::mailbox::Parcel;
use super::shared::{Appetite, Shared, Work};
use crate::canvas::{Canvas, Rect, Size};
use crate::decode::{Picture, Undecodable};
use crate::fit::{Fitter, place};
use crate::sink::{Caption, PixelSink, SinkEnd, Surface, View};
use crate::status::{Gap, Situation, Statement, text};

/// Around a picture.
const BLACK: u32 = 0;
/// How often the figures of the caption change: slowly enough to be read.
const FIGURES: Duration = Duration::from_secs(1);
/// The longest sleep: any time that is far away.
const FAR: Duration = Duration::from_secs(3600);

/// The painter of one sink.
pub(super) struct PixelPainter<'a> {
    sink: Box<dyn PixelSink>,
    clock: &'a dyn Fn() -> Instant,
    shared: &'a Shared,
    decoding: Decoding,
    /// The newest that was fresh.
    picture: Picture,
    /// The size of the newest picture that could be decoded.
    picture_size: Option<Size>,
    canvas: Canvas,
    fitter: Fitter,
    freshness: Freshness,
    situation: Situation,
    caption: Caption,
    /// Frames that could not be decoded since one could.
    undecodable: u64,
    /// Frames that were too old to be shown since one could be.
    late: u64,
    surface: Option<Surface>,
    on_screen: OnScreen,
    due: Due,
}

/// What the canvas and the screen show.
enum OnScreen {
    Nothing,
    Picture(Rect),
    Statement(Statement),
}

/// When to do what next.
struct Due {
    picture: Instant,
    tend: Instant,
    repaint: Instant,
    figures: Instant,
}

impl<'a> PixelPainter<'a> {
    /// A painter that has painted nothing yet.
    pub(super) fn new(
        sink: Box<dyn PixelSink>,
        decoding: Decoding,
        clock: &'a dyn Fn() -> Instant,
        shared: &'a Shared,
    ) -> Self {
        let now = Instant::ZERO;
        Self {
            sink,
            clock,
            shared,
            decoding,
            picture: Picture::new(),
            picture_size: None,
            canvas: Canvas::new(),
            fitter: Fitter::new(),
            freshness: Freshness::new(),
            situation: Situation::unknown(),
            caption: Caption::default(),
            undecodable: 0,
            late: 0,
            surface: None,
            on_screen: OnScreen::Nothing,
            due: Due { picture: now, tend: now, repaint: now, figures: now },
        }
    }

    /// Works until told to stop; the newest frame is still shown then.
    pub(super) fn run(mut self) -> Result<(), SinkEnd> {
        loop {
            let now = (self.clock)();
            self.keep_up(now)?;
            let Work { frame, decoded, situation, note, stop } =
                self.shared.next(self.sleep(now), self.appetite(now));
            if let Some(situation) = situation {
                self.situation = situation;
            }
            if let Some(note) = note {
                self.caption.note = note;
                if self.sink.writes_text() {
                    self.due.repaint = now;
                }
            }
            let shown = decoded.and_then(|decoded| self.judge(decoded));
            // The next one is decoded while this one is painted.
            self.decode(frame);
            if let Some(captured_at) = shown {
                self.show(captured_at)?;
            }
            if stop && !self.decoding.is_busy() {
                return Ok(());
            }
        }
    }

    fn appetite(&self, now: Instant) -> Appetite {
        if self.decoding.is_busy() {
            Appetite::Busy
        } else if now >= self.due.picture {
            Appetite::Any
        } else {
            Appetite::Last
        }
    }

    /// What time asks for: the sink's events, another size, another statement, the same again.
    fn keep_up(&mut self, now: Instant) -> Result<(), SinkEnd> {
        if now >= self.due.tend {
            self.sink.tend()?;
            self.due.tend = now + self.sink.pace().tend;
        }
        let surface = self.sink.surface(self.picture_size);
        let resized = self.surface != Some(surface);
        if self.is_live(now) {
            if resized && self.picture.size().width > 0 {
                return self.paint_picture(surface);
            }
        } else {
            let statement = self.situation.statement(self.gap(now));
            let said = matches!(&self.on_screen, OnScreen::Statement(old) if *old == statement);
            if resized || !said {
                return self.paint_statement(surface, statement);
            }
        }
        if now >= self.due.repaint && !resized { self.paint(now) } else { Ok(()) }
    }

    /// How long nothing has to be done, unless something comes in.
    fn sleep(&self, now: Instant) -> Duration {
        let next_word = match self.freshness.newest_at() {
            Some(_) if self.is_live(now) => self.freshness.live_until(),
            Some(at) => Some(at + Duration::from_secs(now.since(at).as_secs() + 1)),
            None => None,
        };
        let picture = (now < self.due.picture).then_some(self.due.picture);
        let dues = [Some(self.due.tend), Some(self.due.repaint), picture, next_word];
        dues.into_iter().flatten().map(|at| at.since(now)).fold(FAR, Duration::min)
    }

    /// Whether the picture may pass for live. That of a camera which is known to be gone may not, however slow it was.
    fn is_live(&self, now: Instant) -> bool {
        self.freshness.is_live(now) && self.situation.expects(&self.caption.camera)
    }

    fn gap(&self, now: Instant) -> Gap {
        let age = self.freshness.newest_at().map(|at| now.since(at));
        Gap { age, undecodable: self.undecodable, late: self.late }
    }

    /// Lends a frame to the decoder.
    fn decode(&mut self, frame: Option<Parcel>) {
        let Some(frame) = frame else { return };
        self.due.picture = (self.clock)() + self.sink.pace().between_pictures;
        if let Some(refused) = self.decoding.begin(frame) {
            self.shared.lock().mailbox.give_back(refused);
        }
    }

    /// Makes a decoded frame the picture, if it could be decoded and is still fresh; then says when it was taken.
    fn judge(&mut self, decoded: Decoded) -> Option<Instant> {
        let Decoded { frame, mut picture, result } = decoded;
        let another = self.caption.camera != frame.camera;
        // What was measured of one camera does not make another's frame fresh.
        let unknown = Freshness::new();
        let pace = if another { &unknown } else { &self.freshness };
        let fresh = pace.is_fresh(frame.fresh_from, (self.clock)());
        let good = result.is_ok() && fresh;
        if good {
            if another {
                self.caption.camera.clone_from(&frame.camera);
                self.freshness.start_over();
            }
            (self.undecodable, self.late) = (0, 0);
            self.freshness.shown(frame.number, frame.fresh_from);
            std::mem::swap(&mut self.picture, &mut picture);
            self.picture_size = Some(self.picture.size());
        } else {
            self.due.picture = Instant::ZERO;
            self.count_unusable(result.err());
        }
        self.decoding.give_back(picture);
        let captured_at = frame.captured_at;
        self.shared.lock().mailbox.give_back(frame);
        good.then_some(captured_at)
    }

    fn show(&mut self, captured_at: Instant) -> Result<(), SinkEnd> {
        let surface = self.sink.surface(self.picture_size);
        self.paint_picture(surface)?;
        let shown_at = (self.clock)();
        self.count(shown_at, shown_at.since(captured_at));
        Ok(())
    }

    fn count_unusable(&mut self, why: Option<Undecodable>) {
        let mut state = self.shared.lock();
        match why {
            Some(why) => {
                self.undecodable += 1;
                state.stats.undecodable += 1;
                state.stats.why_undecodable = Some(why);
            }
            None => {
                self.late += 1;
                state.stats.late += 1;
            }
        }
    }

    fn count(&mut self, shown_at: Instant, latency: Duration) {
        self.shared.lock().stats.count_shown(shown_at, latency);
        if shown_at >= self.due.figures {
            self.due.figures = shown_at + FIGURES;
            let Size { width, height } = self.picture.size();
            self.caption.figures.clear();
            // Writing into memory cannot fail.
            let _ = write!(self.caption.figures, "{width}x{height}");
            if let Some(interval) = self.freshness.interval() {
                let rate = 1.0 / interval.as_secs_f64().max(0.001);
                let _ = write!(self.caption.figures, ", {rate:.1} frames/s");
            }
            let _ = write!(self.caption.figures, ", {} ms from camera to screen", latency.as_millis());
        }
    }

    fn paint_picture(&mut self, surface: Surface) -> Result<(), SinkEnd> {
        let area = place(self.picture.size(), surface.size, surface.pixel);
        let framed = matches!(self.on_screen, OnScreen::Picture(old) if old == area);
        if self.surface != Some(surface) || !framed {
            self.canvas.resize(surface.size);
            self.canvas.fill_around(area, BLACK);
        }
        self.fitter.draw(&self.picture, &mut self.canvas, area);
        self.surface = Some(surface);
        self.on_screen = OnScreen::Picture(area);
        self.paint((self.clock)())
    }

    fn paint_statement(&mut self, surface: Surface, statement: Statement) -> Result<(), SinkEnd> {
        self.canvas.resize(surface.size);
        if !self.sink.writes_text() {
            text::draw(&statement, &mut self.canvas);
        }
        self.surface = Some(surface);
        self.on_screen = OnScreen::Statement(statement);
        self.paint((self.clock)())
    }

    /// Gives the canvas to the sink as it is.
    fn paint(&mut self, now: Instant) -> Result<(), SinkEnd> {
        self.due.repaint = now + self.sink.pace().repaint;
        let view = match &self.on_screen {
            OnScreen::Nothing => return Ok(()),
            OnScreen::Picture(area) => View::Picture(*area),
            OnScreen::Statement(statement) => View::Statement(statement),
        };
        self.sink.paint(&self.canvas, view, &self.caption)?;
        self.shared.lock().stats.live = matches!(view, View::Picture(_));
        Ok(())
    }
}
