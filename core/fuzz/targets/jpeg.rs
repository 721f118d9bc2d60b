//! The scan for a picture's markers, and the insertion of Huffman tables.
#![no_main]

use sealcam_core::frame::jpeg::{STANDARD_HUFFMAN_TABLES, insert_huffman_tables, scan};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let found = scan(input);
    if let Ok(picture) = &found {
        assert!(picture.len <= input.len() && input[..picture.len].ends_with(&[0xFF, 0xD9]));
        assert_eq!(scan(&input[..picture.len]), found, "what follows a picture is not looked at");
    }
    let mut out = vec![0; input.len() + STANDARD_HUFFMAN_TABLES.len()];
    match insert_huffman_tables(input, &mut out) {
        Ok(Some(len)) => {
            assert_eq!(len, out.len());
            if let Ok(picture) = &found {
                let again = scan(&out).expect("still a picture");
                assert!(again.has_huffman_tables && !picture.has_huffman_tables);
                assert_eq!(again.len, picture.len + STANDARD_HUFFMAN_TABLES.len());
                assert_eq!((again.width, again.height), (picture.width, picture.height));
            }
            assert_eq!(insert_huffman_tables(&out, &mut []), Ok(None), "once is enough");
            let short = out.len() - 1;
            assert!(insert_huffman_tables(input, &mut out[..short]).is_err());
        }
        Ok(None) => assert!(found.is_ok_and(|picture| picture.has_huffman_tables) || found.is_err()),
        Err(_) => assert!(found.is_err(), "a whole picture that could not be completed"),
    }
});
