//! Bytes of a Parquet file in memory that is used again and again: what is touched for the first time costs more than what is read.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use parquet::basic::Compression;
use parquet::column::page::{Page, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length, SerializedPageReader};
use snap::raw::{Decoder, decompress_len};
use zstd::bulk::Decompressor;
use zstd::zstd_safe::get_frame_content_size;

/// Buffers that are kept for use again, and how large one of them may be: more than the pages of the columns that are read at once.
const KEPT: usize = 64;
const LARGEST: usize = 8 << 20;
/// The header of a page mostly lies within so many bytes.
const HEADER: usize = 512;
/// A page packed by Zstandard is at most so long: what it says of that must not decide how much memory is taken.
const LARGEST_PAGE: usize = 1 << 30;
/// Snappy makes 64 bytes of three at most.
const MOST_OF_A_BYTE: usize = 22;

/// Buffers that nothing uses now.
#[derive(Clone, Default)]
struct Pool(Arc<Mutex<Vec<Vec<u8>>>>);

impl Pool {
    /// A buffer of this length. What is in it is left from before.
    fn take(&self, length: usize) -> Buffer {
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fitting = free.iter().rposition(|buffer| buffer.len() >= length);
        let mut bytes = match fitting {
            Some(at) => free.swap_remove(at),
            None => free.pop().unwrap_or_default(),
        };
        drop(free);
        if bytes.len() < length {
            bytes = vec![0; length];
        }
        Buffer {
            bytes,
            length,
            pool: self.clone(),
        }
    }
}

/// A buffer that goes back when nothing uses it any more.
struct Buffer {
    bytes: Vec<u8>,
    /// How many of them are used.
    length: usize,
    pool: Pool,
}

impl Buffer {
    fn used(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.length).unwrap_or_default()
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut free = self.pool.0.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < KEPT && self.bytes.len() <= LARGEST {
            free.push(std::mem::take(&mut self.bytes));
        }
    }
}

/// The bytes of one file.
pub(super) struct Chunks {
    file: File,
    length: u64,
    pool: Pool,
}

impl Chunks {
    /// Those of a file that is open.
    pub fn of(file: File) -> Arc<Self> {
        Arc::new(Chunks {
            length: Length::len(&file),
            file,
            pool: Pool::default(),
        })
    }

    /// How many there are.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The pages of a column chunk.
    pub fn pages(self: &Arc<Self>, chunk: &ColumnChunkMetaData, rows: usize) -> Result<Packed> {
        let unpacker = Unpacker::of(chunk.compression())?;
        let as_stored = unpacker.as_ref().map(|_| {
            let builder = chunk.clone().into_builder();
            builder.set_compression(Compression::UNCOMPRESSED).build()
        });
        let as_stored = as_stored.transpose()?;
        let chunk = as_stored.as_ref().unwrap_or(chunk);
        Ok(Packed {
            reader: Box::new(SerializedPageReader::new(self.clone(), chunk, rows, None)?),
            unpacker,
            pool: self.pool.clone(),
            rows,
        })
    }
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Chunks {
    type T = BufReader<File>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(start))?;
        Ok(BufReader::with_capacity(HEADER, file))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        // Before memory is taken for what is not there.
        if start.checked_add(length as u64).is_none_or(|end| end > self.length) {
            return Err(ParquetError::EOF("a page beyond the end of the file".to_owned()));
        }
        let mut buffer = self.pool.take(length);
        let mut file = &self.file;
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(buffer.used())?;
        Ok(Bytes::from_owner(buffer))
    }
}

/// The pages of a column chunk, unpacked when they are met.
pub(super) struct Packed {
    /// Finds the pages, and unpacks those that are not packed by Snappy.
    pub reader: Box<dyn PageReader>,
    unpacker: Option<Unpacker>,
    pool: Pool,
    /// Of the row group.
    pub rows: usize,
}

impl Packed {
    /// The next page.
    pub fn next(&mut self) -> Result<Option<Page>> {
        let Some(mut page) = self.reader.get_next_page()? else {
            return Ok(None);
        };
        let Some(unpacker) = &mut self.unpacker else {
            return Ok(Some(page));
        };
        let (stored, plain) = match &mut page {
            Page::DataPageV2 { is_compressed, .. } if !*is_compressed => return Ok(Some(page)),
            Page::DataPageV2 {
                buf,
                def_levels_byte_len,
                rep_levels_byte_len,
                ..
            } => (
                buf,
                (*def_levels_byte_len as usize).saturating_add(*rep_levels_byte_len as usize),
            ),
            Page::DataPage { buf, .. } | Page::DictionaryPage { buf, .. } => (buf, 0),
        };
        let beyond = || ParquetError::General("levels beyond the end of their page".to_owned());
        let (levels, values) = stored.split_at_checked(plain).ok_or_else(beyond)?;
        if values.is_empty() {
            return Ok(Some(page));
        }
        *stored = unpacker.unpack(levels, values, &self.pool)?;
        Ok(Some(page))
    }
}

/// Unpacks pages into memory that was used before.
enum Unpacker {
    Snappy(Decoder),
    Zstd(Decompressor<'static>),
}

impl Unpacker {
    /// That of a way of packing; none where the `parquet` crate unpacks.
    fn of(compression: Compression) -> Result<Option<Self>> {
        Ok(match compression {
            Compression::SNAPPY => Some(Unpacker::Snappy(Decoder::new())),
            Compression::ZSTD(_) => Some(Unpacker::Zstd(Decompressor::new()?)),
            Compression::UNCOMPRESSED
            | Compression::GZIP(_)
            | Compression::LZ4
            | Compression::LZ4_RAW
            | Compression::BROTLI(_)
            | Compression::LZO => None,
        })
    }

    /// The bytes of a page: its levels, which are not packed, and behind them its values.
    fn unpack(&mut self, levels: &[u8], values: &[u8], pool: &Pool) -> Result<Bytes> {
        let room = |length: usize| {
            let mut buffer = pool.take(levels.len() + length);
            buffer
                .used()
                .iter_mut()
                .zip(levels)
                .for_each(|(slot, byte)| *slot = *byte);
            buffer
        };
        match self {
            Unpacker::Snappy(decoder) => {
                let mut buffer = room(unpacked_length(values)?);
                let rest = buffer.used().get_mut(levels.len()..).unwrap_or_default();
                decoder.decompress(values, rest).map_err(packed)?;
                Ok(Bytes::from_owner(buffer))
            }
            Unpacker::Zstd(decompressor) => {
                let length = get_frame_content_size(values).ok().flatten();
                let length = length.and_then(|length| usize::try_from(length).ok());
                if let Some(length) = length.filter(|length| *length <= LARGEST_PAGE) {
                    let mut buffer = room(length);
                    let rest = buffer.used().get_mut(levels.len()..).unwrap_or_default();
                    if decompressor
                        .decompress_to_buffer(values, rest)
                        .is_ok_and(|read| read == length)
                    {
                        return Ok(Bytes::from_owner(buffer));
                    }
                }
                // Of several frames, or by a writer that does not say how long they are.
                let mut bytes = levels.to_vec();
                let mut frames = zstd::Decoder::with_buffer(values)?.take(LARGEST_PAGE as u64);
                frames.read_to_end(&mut bytes)?;
                Ok(bytes.into())
            }
        }
    }
}

/// How long Snappy's bytes say that they become, before memory is taken for that.
fn unpacked_length(values: &[u8]) -> Result<usize> {
    let length = decompress_len(values).map_err(packed)?;
    if length > values.len().saturating_mul(MOST_OF_A_BYTE) {
        let reason = "a page that says it is longer than it can be";
        return Err(ParquetError::General(reason.to_owned()));
    }
    Ok(length)
}

fn packed(error: snap::Error) -> ParquetError {
    ParquetError::General(format!("a page that does not unpack: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zstandard_is_unpacked_whatever_its_frames_say_of_their_length() {
        let text: Vec<u8> = (0..200_000_u32).map(|n| (n / 7 % 251) as u8).collect();
        let (front, back) = text.split_at(90_000);
        let streamed = |part: &[u8]| zstd::encode_all(part, 1).unwrap();
        let told = |part: &[u8]| zstd::bulk::compress(part, 1).unwrap();
        let mut unpacker = Unpacker::of(Compression::ZSTD(Default::default())).unwrap().unwrap();
        let whole = [b"levels".as_slice(), &text].concat();
        for packed in [
            streamed(&text),
            told(&text),
            [told(front), told(back)].concat(),
            [streamed(front), told(back)].concat(),
        ] {
            assert!(unpacker.unpack(b"levels", &packed, &Pool::default()).unwrap() == whole);
            assert!(
                unpacker
                    .unpack(b"", &packed[..packed.len() - 9], &Pool::default())
                    .is_err()
            );
        }
        assert!(unpacker.unpack(b"", b"nothing of that kind", &Pool::default()).is_err());
    }

    #[test]
    fn a_page_that_claims_what_its_bytes_cannot_become_is_refused() {
        let packed = snap::raw::Encoder::new().compress_vec(&[7; 100_000]).unwrap();
        assert_eq!(unpacked_length(&packed).unwrap(), 100_000, "the densest that there is");
        // The length stands first, seven bits to a byte: here of four gigabytes.
        let claims = [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 7];
        let error = unpacked_length(&claims).unwrap_err().to_string();
        assert!(error.contains("longer than it can be"), "{error}");
    }
}
