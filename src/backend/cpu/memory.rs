//! Memory of a plan, and the elements behind its pointers.

use crate::backend::{Elements, Tensor};
use crate::kernel::Region;
use std::sync::Arc;

/// Bytes of a cache line.
const LINE: usize = 64;

/// Zeroed memory that starts at a cache line. It takes no place before it is written.
pub struct Memory {
    bytes: Vec<u8>,
}

impl Memory {
    pub fn new(bytes: usize) -> Memory {
        Memory { bytes: vec![0; bytes + LINE] }
    }

    pub fn pointer(&mut self) -> *mut u8 {
        let start = self.bytes.as_mut_ptr();
        start.wrapping_add(start.addr().next_multiple_of(LINE) - start.addr())
    }
}

/// The elements of a tensor, for reading.
pub fn read_pointer(tensor: &Tensor) -> *mut u8 {
    match &tensor.elements {
        Elements::F32(v) => v.as_ptr().cast_mut().cast(),
        Elements::F64(v) => v.as_ptr().cast_mut().cast(),
        Elements::I32(v) => v.as_ptr().cast_mut().cast(),
        Elements::I64(v) => v.as_ptr().cast_mut().cast(),
    }
}

/// The elements of a tensor, for writing: copied first if someone shares them.
pub fn write_pointer(tensor: &mut Tensor) -> *mut u8 {
    match &mut tensor.elements {
        Elements::F32(v) => Arc::make_mut(v).as_mut_ptr().cast(),
        Elements::F64(v) => Arc::make_mut(v).as_mut_ptr().cast(),
        Elements::I32(v) => Arc::make_mut(v).as_mut_ptr().cast(),
        Elements::I64(v) => Arc::make_mut(v).as_mut_ptr().cast(),
    }
}

/// Pointers of all buffers, as compiled code and library see them. Tasks of one job write disjoint elements.
#[derive(Clone, Copy)]
pub struct Table<'a> {
    pub pointers: &'a [*mut u8],
    /// Of an element
    pub bytes: usize,
}

// SAFETY: the pointers are to memory of the plan, which lives for the whole run; tasks that run at the same time write disjoint
// elements and read none that another of them writes.
unsafe impl Sync for Table<'_> {}

impl<'a> Table<'a> {
    pub fn at(self, region: Region) -> *mut u8 {
        self.pointers[region.buffer.index()].wrapping_add(region.offset * self.bytes)
    }

    /// Elements for reading.
    ///
    /// # Safety
    /// `T` must be the type of the buffer's elements, `len` of them must lie in it, and nobody may write them meanwhile.
    pub unsafe fn slice<T>(self, region: Region, len: usize) -> &'a [T] {
        // SAFETY: by the contract of this function; buffers are aligned to their elements.
        unsafe { std::slice::from_raw_parts(self.at(region).cast(), len) }
    }

    /// Elements for writing.
    ///
    /// # Safety
    /// As for [`Table::slice`], and nobody else may read or write them meanwhile.
    pub unsafe fn slice_mut<T>(self, region: Region, len: usize) -> &'a mut [T] {
        // SAFETY: by the contract of this function; buffers are aligned to their elements.
        unsafe { std::slice::from_raw_parts_mut(self.at(region).cast(), len) }
    }
}
