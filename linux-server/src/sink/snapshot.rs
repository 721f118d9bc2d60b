//! `snapshot:FILE.png`: the newest picture, or the words where there is none, replaced as a whole.
//!
//! As large as the picture itself. Twice a second at most: a PNG costs far more to make than a frame to decode.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sealcam_linux::confinement::Confinement;
use sealcam_linux::exit::{Exit, Failure, Result};

use super::{Caption, Kind, Pace, PixelSink, Sink, SinkEnd, Surface, View, file};
use crate::buffer::slim;
use crate::canvas::{Canvas, Size};
use crate::fit::PixelShape;

const BETWEEN_PICTURES: Duration = Duration::from_millis(500);
/// The size of the words as long as no picture has come.
const WITHOUT_PICTURE: Size = Size::new(640, 480);

struct Snapshot {
    path: PathBuf,
    rgb: Vec<u8>,
    encoded: Vec<u8>,
}

/// Makes sure that the file can be made; makes none yet.
pub(crate) fn open(path: &Path) -> Result<Sink> {
    if path.is_dir() {
        let message = format!("Cannot write {}: it is a directory. Name a file.", path.display());
        return Err(Failure::new(Exit::Sink, message));
    }
    file::probe(path).map_err(|error| file::cannot_write(path, &error))?;
    let sink = Snapshot { path: path.to_owned(), rgb: Vec::new(), encoded: Vec::new() };
    Ok(Sink {
        name: format!("the PNG file {}", path.display()),
        kind: Kind::Pixels(Box::new(sink)),
        warnings: Vec::new(),
        needs: Confinement::new().changes(file::directory_of(path)),
    })
}

impl PixelSink for Snapshot {
    fn surface(&mut self, picture: Option<Size>) -> Surface {
        Surface { size: picture.unwrap_or(WITHOUT_PICTURE), pixel: PixelShape::SQUARE }
    }

    fn pace(&self) -> Pace {
        Pace { between_pictures: BETWEEN_PICTURES, tend: Duration::MAX, repaint: Duration::MAX }
    }

    fn paint(&mut self, canvas: &Canvas, _: View<'_>, _: &Caption) -> std::result::Result<(), SinkEnd> {
        let len = canvas.pixels().len() * 3;
        slim(&mut self.rgb, len);
        slim(&mut self.encoded, len);
        self.rgb.clear();
        for pixel in canvas.pixels() {
            let [_, rgb @ ..] = pixel.to_be_bytes();
            self.rgb.extend(rgb);
        }
        self.encode(canvas.size()).map_err(|error| {
            Failure::new(Exit::Sink, format!("Cannot make the PNG {}: {error}.", self.path.display()))
        })?;
        file::replace(&self.path, &self.encoded)
            .map_err(|error| file::cannot_write(&self.path, &error).into())
    }
}

impl Snapshot {
    fn encode(&mut self, size: Size) -> std::result::Result<(), png::EncodingError> {
        self.encoded.clear();
        let side = |length| u32::try_from(length).unwrap_or(0);
        let mut encoder = png::Encoder::new(&mut self.encoded, side(size.width), side(size.height));
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Fast);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.rgb)?;
        writer.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::canvas::Rect;
    use crate::sink::file::tests::TestDir;

    fn pixels_into(path: &Path) -> Box<dyn PixelSink> {
        match open(path).map(|sink| sink.kind) {
            Ok(Kind::Pixels(sink)) => sink,
            Ok(Kind::Frames(_)) => panic!("a sink of pixels was expected"),
            Err(failure) => panic!("{failure}"),
        }
    }

    fn canvas(size: Size, colour: u32) -> Canvas {
        let mut canvas = Canvas::new();
        canvas.resize(size);
        canvas.fill(Rect::whole(size), colour);
        canvas
    }

    #[test]
    fn the_file_is_a_png_of_the_newest_canvas() {
        let dir = TestDir::new("snapshot");
        let path = dir.path().join("now.png");
        let mut sink = pixels_into(&path);
        assert!(dir.names().is_empty(), "nothing before the first picture");
        let size = sink.surface(Some(Size::new(31, 17))).size;
        for colour in [0x0011_2233, 0x00A0_B0C0] {
            let view = View::Picture(Rect::whole(size));
            sink.paint(&canvas(size, colour), view, &Caption::default()).unwrap();
        }
        assert_eq!(dir.names(), ["now.png"]);
        let file = std::io::BufReader::new(fs::File::open(&path).unwrap());
        let mut reader = png::Decoder::new(file).read_info().unwrap();
        let mut rgb = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut rgb).unwrap();
        assert_eq!((info.width, info.height), (31, 17));
        assert_eq!(rgb, [0xA0, 0xB0, 0xC0].repeat(31 * 17));
    }

    #[test]
    fn a_directory_or_a_place_that_cannot_be_written_is_refused() {
        let dir = TestDir::new("snapshot-dir");
        for path in [dir.path(), Path::new("/proc/self/now.png"), &dir.path().join("not/there.png")] {
            let failure = open(path).err().expect("this path cannot be used");
            assert_eq!(failure.exit, Exit::Sink);
            assert!(failure.message.starts_with("Cannot write"), "{failure}");
        }
        assert!(dir.names().is_empty());
    }
}
