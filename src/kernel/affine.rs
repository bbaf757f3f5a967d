//! Affine functions of the axes of an index space: how a kernel reaches its buffers.

/// `offset + Σ strides[k] · i[k]`, with one stride for each axis.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Affine {
    pub offset: i64,
    pub strides: Vec<i64>,
}

impl Affine {
    pub fn constant(offset: i64, axes: usize) -> Affine {
        Affine { offset, strides: vec![0; axes] }
    }

    /// The position along one axis.
    pub fn axis(axis: usize, axes: usize) -> Affine {
        let mut result = Affine::constant(0, axes);
        result.strides[axis] = 1;
        result
    }

    /// The positions along all axes of an index space.
    pub fn identity(axes: usize) -> Vec<Affine> {
        (0..axes).map(|axis| Affine::axis(axis, axes)).collect()
    }

    pub fn shifted(mut self, by: i64) -> Affine {
        self.offset += by;
        self
    }

    pub fn scaled(mut self, by: i64) -> Affine {
        self.offset *= by;
        self.strides.iter_mut().for_each(|stride| *stride *= by);
        self
    }

    pub fn plus(mut self, other: &Affine) -> Affine {
        self.offset += other.offset;
        self.strides.iter_mut().zip(&other.strides).for_each(|(a, b)| *a += b);
        self
    }

    /// The row-major position of an index in an array of that shape.
    pub fn linear(index: &[Affine], shape: &[usize], axes: usize) -> Affine {
        let strides = row_major(shape);
        index.iter().zip(strides).fold(Affine::constant(0, axes), |sum, (i, stride)| sum.plus(&i.clone().scaled(stride)))
    }

    /// Quotient and remainder by `size`, where both are affine over axes of those extents; None where they are not.
    pub fn divide(&self, size: usize, extents: &[usize]) -> Option<(Affine, Affine)> {
        let size = size as i64;
        let mut quotient = Affine::constant(self.offset.div_euclid(size), self.strides.len());
        let mut remainder = Affine::constant(self.offset.rem_euclid(size), self.strides.len());
        let (mut least, mut most) = (remainder.offset, remainder.offset);
        for (axis, &stride) in self.strides.iter().enumerate() {
            if stride % size == 0 {
                quotient.strides[axis] = stride / size;
                continue;
            }
            remainder.strides[axis] = stride;
            let reach = stride * (extents[axis] as i64 - 1).max(0);
            (least, most) = (least + reach.min(0), most + reach.max(0));
        }
        (least >= 0 && most < size).then_some((quotient, remainder))
    }
}

/// Strides of a dense array, the last axis contiguous.
pub fn row_major(shape: &[usize]) -> Vec<i64> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis] as i64;
    }
    strides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn divides_where_the_parts_are_affine() {
        // i * 6 + j over 4 × 6, divided by 6: (i, j)
        let index = Affine { offset: 0, strides: vec![6, 1] };
        let (quotient, remainder) = index.divide(6, &[4, 6]).expect("affine");
        assert_eq!((quotient, remainder), (Affine::axis(0, 2), Affine::axis(1, 2)));
        // i over 0..24 has no affine quotient by 6
        assert_eq!(Affine::axis(0, 1).divide(6, &[24]), None);
        // … but i over 0..6 has: zero
        assert_eq!(Affine::axis(0, 1).divide(6, &[6]), Some((Affine::constant(0, 1), Affine::axis(0, 1))));
    }
}
