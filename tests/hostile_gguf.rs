//! GGUF files that lie: one test a kind of lie, each with bytes built here.
//!
//! Every lie must be refused with a message that says what is wrong, within 100 ms, and without taking memory for what
//! was merely promised. The last tests do the same to a valid file with random damage.

use std::io::{Cursor, Read, Seek, SeekFrom};
use std::time::{Duration, Instant};

use candor::error::{Error, Kind};
use candor::gguf::{GgufFile, Header};
use proptest::prelude::*;

use crate::allocation::peak_of;

const LONGEST: Duration = Duration::from_millis(100);
/// Memory that reading any small header may take: a read buffer and change.
const SMALL: usize = 256 * 1024;

/// Type numbers of metadata values.
const U32: u32 = 4;
const BOOL: u32 = 7;
const STRING: u32 = 8;
const ARRAY: u32 = 9;
/// Type numbers of tensors.
const F32: u32 = 0;
const Q4_1: u32 = 3;

/// Bytes of a file in the making.
struct Bytes(Vec<u8>);

impl Bytes {
    /// Magic, version and the two counts.
    fn file(version: u32, tensors: u64, pairs: u64) -> Self {
        Self(b"GGUF".to_vec()).u32(version).u64(tensors).u64(pairs)
    }

    fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    fn string(self, text: impl AsRef<[u8]>) -> Self {
        self.u64(text.as_ref().len() as u64).raw(text.as_ref())
    }

    /// A pair's key and type; its value follows.
    fn key(self, key: &str, kind: u32) -> Self {
        self.string(key).u32(kind)
    }

    /// An array's element type and count; its elements follow.
    fn array(self, kind: u32, count: u64) -> Self {
        self.u32(kind).u64(count)
    }

    fn tensor(self, name: &str, shape: &[u64], kind: u32, offset: u64) -> Self {
        let dimensions =
            shape.iter().fold(self.string(name).u32(shape.len() as u32), |bytes, extent| bytes.u64(*extent));
        dimensions.u32(kind).u64(offset)
    }

    /// Padding to the data section, and so many bytes of data.
    fn data(mut self, bytes: usize) -> Self {
        self.0.resize(self.0.len().next_multiple_of(32) + bytes, 0);
        self
    }
}

/// Opens, and holds time and memory to their limits.
///
/// A machine that is busy with something else may be slow once, so slowness counts only if it lasts.
fn open<R: Read + Seek>(reader: impl Fn() -> R, memory: usize) -> Result<GgufFile<R>, Error> {
    let mut attempts = 0;
    loop {
        let source = reader();
        let started = Instant::now();
        let (result, peak) = peak_of(|| GgufFile::open(source));
        let elapsed = started.elapsed();
        attempts += 1;
        assert!(peak < memory, "it took {peak} bytes of memory");
        if elapsed < LONGEST {
            return result;
        }
        assert!(attempts < 5, "it took {elapsed:?}, as often as it was tried");
    }
}

fn assert_refused<R: Read + Seek>(reader: impl Fn() -> R, expected: &[&str]) {
    let error = open(reader, SMALL).err().expect("a lie was believed");
    assert!(matches!(error.kind, Kind::Format | Kind::Unsupported), "{error:?}");
    for part in expected {
        assert!(error.to_string().contains(part), "{part:?} is not in: {error}");
    }
}

/// A test a lie: name, bytes, what the message must say.
macro_rules! lies {
    ($($(#[$comment:meta])* $name:ident: $bytes:expr => [$($expected:expr),+];)+) => {
        $($(#[$comment])* #[test] fn $name() { let bytes = $bytes.0; assert_refused(|| Cursor::new(&bytes), &[$($expected),+]); })+
    };
}

// What kind of file it is.
lies! {
    an_empty_file: Bytes(Vec::new()) => ["empty"];
    a_file_of_three_bytes: Bytes(b"GGU".to_vec()) => ["not a GGUF file"];
    only_the_magic: Bytes(b"GGUF".to_vec()) => ["ends within its version"];
    another_magic: Bytes(b"\x7fELF....".to_vec()) => ["not a GGUF file", "7f 45 4c 46"];
    a_git_lfs_pointer: Bytes(b"version https://git-lfs.github.com/spec/v1".to_vec()) => ["Git LFS", "git lfs pull"];
    a_web_page: Bytes(b"<!doctype html>".to_vec()) => ["web page", "direct link"];
    a_zip_archive: Bytes(b"PK\x03\x04....".to_vec()) => ["ZIP"];
    version_1: Bytes::file(1, 0, 0) => ["version 1", "2 and 3"];
    version_4: Bytes::file(4, 0, 0) => ["version 4", "2 and 3"];
    version_0: Bytes::file(0, 0, 0) => ["version 0"];
    big_endian: Bytes(b"GGUF\0\0\0\x03".to_vec()).raw(&[0; 16]) => ["big-endian GGUF 3"];
    cut_in_the_counts: Bytes(b"GGUF\x03\0\0\0\0\0".to_vec()) => ["count of tensors", "cut short"];
}

// Metadata.
lies! {
    more_pairs_than_bytes: Bytes::file(3, 0, 60_000) => ["60000 metadata pairs", "needs"];
    pairs_without_end: Bytes::file(3, 0, u64::MAX) => ["claims 18446744073709551615 metadata pairs"];
    a_key_longer_than_the_file: Bytes::file(3, 0, 1).u64(60_000).raw(&[b'a'; 40]) => ["metadata key", "60000 bytes"];
    a_key_longer_than_allowed: Bytes::file(3, 0, 1).u64(1 << 62).raw(&[b'a'; 40]) => ["metadata key", "at most 65535"];
    an_empty_key: Bytes::file(3, 0, 1).key("", U32).u32(1) => ["empty key"];
    a_key_that_is_not_utf8: Bytes::file(3, 0, 1).string(b"a\xff").u32(U32).u32(1) => ["metadata key", "not UTF-8"];
    the_same_key_twice: Bytes::file(3, 0, 2).key("a", U32).u32(1).key("a", U32).u32(2) => ["\"a\"", "twice"];
    an_unknown_value_type: Bytes::file(3, 0, 1).key("a", 13).u64(0) => ["\"a\"", "value type 13"];
    a_missing_value: Bytes::file(3, 0, 1).key("abc", U32) => ["\"abc\"", "a u32", "ends"];
    a_bool_of_two: Bytes::file(3, 0, 1).key("a", BOOL).raw(&[2]) => ["\"a\"", "bool is 2"];
    a_string_longer_than_the_file: Bytes::file(3, 0, 1).key("a", STRING).u64(1000).raw(b"x") => ["\"a\"", "1000 bytes"];
    a_string_without_end: Bytes::file(3, 0, 1).key("a", STRING).u64(u64::MAX) => ["\"a\"", "at most 4194304"];
    a_string_that_is_not_utf8: Bytes::file(3, 0, 1).key("a", STRING).string(b"\xc3\x28") => ["\"a\"", "not UTF-8"];
}

// Arrays.
lies! {
    an_array_longer_than_the_file: Bytes::file(3, 0, 1).key("a", ARRAY).array(U32, 1000) => ["\"a\"", "1000 elements"];
    an_array_whose_bytes_overflow: Bytes::file(3, 0, 1).key("a", ARRAY).array(U32, u64::MAX / 2) => ["\"a\"", "elements"];
    more_strings_than_fit: Bytes::file(3, 0, 1).key("a", ARRAY).array(STRING, 3).string("x").raw(&[0; 8])
        => ["\"a\"", "3 elements"];
    a_string_in_an_array_that_is_too_long: Bytes::file(3, 0, 1).key("a", ARRAY).array(STRING, 2).string("x").u64(99)
        => ["\"a\"", "element 1 of 2", "99 bytes"];
    a_string_in_an_array_that_is_not_utf8: Bytes::file(3, 0, 1).key("a", ARRAY).array(STRING, 2).string(b"\xe2").string(b"\x82\xac")
        => ["\"a\"", "element 0 of 2", "not UTF-8"];
    an_array_of_an_unknown_type: Bytes::file(3, 0, 1).key("a", ARRAY).array(99, 0).u64(0) => ["\"a\"", "value type 99"];
    arrays_nested_too_deep: (0..50).fold(Bytes::file(3, 0, 1).key("a", ARRAY), |bytes, _| bytes.array(ARRAY, 1)).array(U32, 0)
        => ["\"a\"", "nested"];
    a_nested_array_without_end: Bytes::file(3, 0, 1).key("a", ARRAY).array(ARRAY, 2).array(U32, u64::MAX).u64(0)
        => ["\"a\"", "elements"];
    an_array_of_too_many_arrays: Bytes::file(3, 0, 1).key("a", ARRAY).array(ARRAY, 1 << 40) => ["\"a\"", "arrays"];
    an_array_where_a_number_should_be: Bytes::file(3, 0, 1).key("general.alignment", ARRAY).array(U32, 1).u32(32)
        => ["general.alignment", "array of 1 × u32"];
}

// The directory of tensors.
lies! {
    more_tensors_than_bytes: Bytes::file(3, 50_000, 0) => ["50000 tensors", "needs"];
    tensors_without_end: Bytes::file(3, u64::MAX, 0) => ["claims 18446744073709551615 tensors"];
    an_alignment_of_zero: Bytes::file(3, 0, 1).key("general.alignment", U32).u32(0) => ["general.alignment", "is 0"];
    an_alignment_of_48: Bytes::file(3, 0, 1).key("general.alignment", U32).u32(48) => ["general.alignment", "48"];
    an_alignment_of_2_gib: Bytes::file(3, 0, 1).key("general.alignment", U32).u32(1 << 31) => ["general.alignment"];
    a_tensor_without_dimensions: Bytes::file(3, 1, 0).tensor("t", &[], F32, 0).data(64) => ["\"t\"", "0 dimensions"];
    a_tensor_of_five_dimensions: Bytes::file(3, 1, 0).tensor("t", &[1; 5], F32, 0).data(64) => ["\"t\"", "5 dimensions"];
    a_tensor_of_many_dimensions: Bytes::file(3, 1, 0).string("t").u32(u32::MAX).data(64) => ["\"t\"", "4294967295"];
    a_zero_extent: Bytes::file(3, 1, 0).tensor("t", &[32, 0], F32, 0).data(64) => ["\"t\"", "zero"];
    a_shape_whose_product_overflows: Bytes::file(3, 1, 0).tensor("t", &[1 << 32, 1 << 32, 2], F32, 0).data(64)
        => ["\"t\"", "more elements"];
    a_shape_whose_product_wraps_to_little: Bytes::file(3, 1, 0).tensor("t", &[1 << 33, (1 << 31) + 1], F32, 0).data(64)
        => ["\"t\"", "more elements"];
    a_shape_larger_than_the_file: Bytes::file(3, 1, 0).tensor("t", &[32, 4], F32, 0).data(511) => ["\"t\"", "512 bytes"];
    a_row_of_part_of_a_block: Bytes::file(3, 1, 0).tensor("t", &[33], Q4_1, 0).data(64) => ["\"t\"", "33", "Q4_1"];
    a_type_that_is_not_supported: Bytes::file(3, 1, 0).tensor("t", &[256], 23, 0).data(256) => ["\"t\"", "IQ4_XS"];
    a_type_that_does_not_exist: Bytes::file(3, 1, 0).tensor("t", &[8], 1234, 0).data(64) => ["\"t\"", "1234"];
    the_same_tensor_twice: Bytes::file(3, 2, 0).tensor("t", &[8], F32, 0).tensor("t", &[8], F32, 32).data(64)
        => ["\"t\"", "twice"];
    a_tensor_without_name: Bytes::file(3, 1, 0).tensor("", &[8], F32, 0).data(64) => ["empty name"];
    a_tensor_name_that_is_not_utf8: Bytes::file(3, 1, 0).string(b"\xfe").raw(&[0; 60]) => ["tensor 0", "not UTF-8"];
    a_tensor_name_without_end: Bytes::file(3, 1, 0).u64(1 << 50).raw(&[0; 60]) => ["tensor 0", "at most 1024"];
    an_offset_that_is_not_aligned: Bytes::file(3, 1, 0).tensor("t", &[1], F32, 4).data(64) => ["\"t\"", "multiple of 32"];
    an_offset_past_the_end: Bytes::file(3, 1, 0).tensor("t", &[1], F32, 128).data(64) => ["\"t\"", "offset 128"];
    an_offset_that_overflows: Bytes::file(3, 1, 0).tensor("t", &[8], F32, u64::MAX - 31).data(64) => ["\"t\"", "offset"];
    tensors_that_overlap: Bytes::file(3, 2, 0).tensor("a", &[16], F32, 0).tensor("b", &[8], F32, 32).data(64)
        => ["\"b\"", "inside \"a\""];
    tensors_that_are_one: Bytes::file(3, 2, 0).tensor("a", &[8], F32, 0).tensor("b", &[8], F32, 0).data(32)
        => ["inside"];
    a_file_without_data: Bytes::file(3, 1, 0).tensor("t", &[1], F32, 0) => ["data section"];
}

/// A file of any claimed length whose tail is zeros: what a hole in a sparse file looks like.
struct Sparse {
    head: Vec<u8>,
    length: u64,
    position: u64,
}

impl Read for Sparse {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let count = (self.length - self.position.min(self.length)).min(out.len() as u64) as usize;
        for (i, byte) in out[..count].iter_mut().enumerate() {
            *byte = self.head.get(self.position as usize + i).copied().unwrap_or(0);
        }
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Sparse {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.position = match to {
            SeekFrom::Start(position) => position,
            SeekFrom::End(back) => self.length.saturating_add_signed(back),
            SeekFrom::Current(step) => self.position.saturating_add_signed(step),
        };
        Ok(self.position)
    }
}

/// A terabyte of zeros bears out nearly every claim, so here only the bounds on what a header may ask for help.
#[test]
fn a_terabyte_of_zeros_does_not_bear_out_any_count() {
    let cases = [
        ("numbers", Bytes::file(3, 0, 1).key("a", ARRAY).array(U32, 1 << 35), "elements"),
        ("strings", Bytes::file(3, 0, 1).key("a", ARRAY).array(STRING, 1 << 35), "elements"),
        ("a string", Bytes::file(3, 0, 1).key("a", STRING).u64(1 << 35), "at most"),
        ("pairs", Bytes::file(3, 0, 60_000), "empty key"),
        ("tensors", Bytes::file(3, 60_000, 0), "empty name"),
    ];
    for (what, bytes, expected) in cases {
        println!("{what}");
        assert_refused(|| Sparse { head: bytes.0.clone(), length: 1 << 40, position: 0 }, &[expected]);
    }
}

/// The most strings that are accepted, all of them empty: slow parsing or a struct for each would show here.
#[test]
fn four_million_empty_strings_are_cheap_to_refuse() {
    let head = Bytes::file(3, 0, 2).key("a", ARRAY).array(STRING, 1 << 22).0;
    let sparse = Sparse { head, length: 1 << 30, position: 0 };
    let (error, peak) = peak_of(|| GgufFile::open(sparse).err().expect("the second key is empty"));
    assert!(error.message.contains("empty key"), "{error}");
    assert!(peak < 128 << 20, "{peak} bytes");
}

#[test]
fn a_tensor_may_be_larger_than_memory_until_it_is_read() {
    let head = Bytes::file(3, 1, 0).tensor("t", &[1 << 20, 1 << 17], F32, 0).0;
    let file = open(|| Sparse { head: head.clone(), length: 1 << 40, position: 0 }, SMALL).unwrap();
    assert_eq!(file.tensor("t").unwrap().bytes, 1 << 39);
}

const TINY: &[u8] = include_bytes!("../models/tiny.gguf");

/// Opens a damaged copy of the tiny model; if it opens, every tensor must be readable.
fn try_damaged(bytes: &[u8]) {
    if let Ok(mut file) = open(|| Cursor::new(bytes), 4 << 20) {
        let names: Vec<String> = file.tensors.keys().cloned().collect();
        for name in names {
            let length = file.tensor(&name).unwrap().bytes;
            assert_eq!(file.read_tensor(&name).unwrap().len(), length);
        }
    }
}

#[test]
fn the_tiny_model_cut_anywhere_is_refused() {
    let header = Header::read(Cursor::new(TINY)).unwrap();
    let ends = (0..header.data_start as usize).step_by(7).chain([TINY.len() - 1]);
    for end in ends {
        let error = open(|| Cursor::new(&TINY[..end]), 4 << 20).err();
        assert!(error.is_some_and(|error| error.kind == Kind::Format), "cut at {end}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_in_the_header_do_no_harm(
        changes in prop::collection::vec((0_usize..13_000, any::<u8>()), 1..6),
    ) {
        let mut bytes = TINY.to_vec();
        changes.into_iter().for_each(|(at, byte)| bytes[at] = byte);
        try_damaged(&bytes);
    }

    #[test]
    fn extreme_numbers_in_the_header_do_no_harm(
        changes in prop::collection::vec((0_usize..13_000, 0_usize..8), 1..4),
        length in 0_usize..TINY.len(),
    ) {
        let extremes = [0, 1, 31, 1 << 20, u64::from(u32::MAX), 1 << 32, 1 << 63, u64::MAX];
        let mut bytes = TINY.to_vec();
        for (at, which) in changes {
            bytes[at..at + 8].copy_from_slice(&extremes[which].to_le_bytes());
        }
        try_damaged(&bytes);
        try_damaged(&bytes[..length]);
    }
}
