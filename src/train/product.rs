//! Products of float32 matrices, row after row in memory, on all threads.
//!
//! Training multiplies in three shapes: as it stands, with the right side transposed, and with the left side transposed.
//! The work is the `gemm` crate's, whose kernels use fused multiply-adds and so are not the engine's: gradients need
//! speed, not the same bits in a browser. On one machine the same call gives the same bits.

use gemm::Parallelism;

/// `out[m × n] += factor · a[m × k] · b[k × n]`.
pub fn add_product(out: &mut [f32], (m, k, n): (usize, usize, usize), a: &[f32], b: &[f32], factor: f32) {
    product(out, (m, k, n), (a, 1, k), (b, 1, n), factor);
}

/// `out[m × n] += factor · a[m × k] · b[n × k]ᵀ`.
pub fn add_product_transposed(out: &mut [f32], (m, k, n): (usize, usize, usize), a: &[f32], b: &[f32], factor: f32) {
    product(out, (m, k, n), (a, 1, k), (b, k, 1), factor);
}

/// `out[m × n] += factor · a[k × m]ᵀ · b[k × n]`.
pub fn add_transposed_product(out: &mut [f32], (m, k, n): (usize, usize, usize), a: &[f32], b: &[f32], factor: f32) {
    product(out, (m, k, n), (a, m, 1), (b, 1, n), factor);
}

/// Products of small matrices on the calling thread, for work that is spread over the threads already: the same three
/// shapes, with rows of `out` and of the right side that may stand apart.
#[derive(Debug, Clone, Copy)]
pub struct Small {
    /// Numbers between two rows of the result.
    pub out_stride: usize,
    /// Numbers between two rows of the left side, as it lies in memory.
    pub left_stride: usize,
    /// Numbers between two rows of the right side, as it lies in memory.
    pub right_stride: usize,
}

impl Small {
    /// [`add_product`] with a factor of 1.
    pub fn add_product(self, out: &mut [f32], shape: (usize, usize, usize), a: &[f32], b: &[f32]) {
        self.add(out, shape, (a, 1, self.left_stride), (b, 1, self.right_stride));
    }

    /// [`add_product_transposed`] with a factor of 1.
    pub fn add_product_transposed(self, out: &mut [f32], shape: (usize, usize, usize), a: &[f32], b: &[f32]) {
        self.add(out, shape, (a, 1, self.left_stride), (b, self.right_stride, 1));
    }

    /// [`add_transposed_product`] with a factor of 1.
    pub fn add_transposed_product(self, out: &mut [f32], shape: (usize, usize, usize), a: &[f32], b: &[f32]) {
        self.add(out, shape, (a, self.left_stride, 1), (b, 1, self.right_stride));
    }

    fn add(self, out: &mut [f32], shape: (usize, usize, usize), a: Strided<'_>, b: Strided<'_>) {
        strided(out, self.out_stride, shape, a, b, 1.0, Parallelism::None);
    }
}

/// A matrix with the strides between its columns and between its rows.
type Strided<'a> = (&'a [f32], usize, usize);

fn product(out: &mut [f32], (m, k, n): (usize, usize, usize), a: Strided<'_>, b: Strided<'_>, factor: f32) {
    assert!(out.len() == m * n && a.0.len() == m * k && b.0.len() == k * n, "shapes {m} × {k} × {n}");
    strided(out, n, (m, k, n), a, b, factor, Parallelism::Rayon(0));
}

fn strided(
    out: &mut [f32],
    out_stride: usize,
    (m, k, n): (usize, usize, usize),
    a: Strided<'_>,
    b: Strided<'_>,
    factor: f32,
    threads: Parallelism,
) {
    if m * n * k == 0 {
        return;
    }
    let holds = |length: usize, rows: usize, columns: usize, column: usize, row: usize| {
        (rows - 1) * row + (columns - 1) * column < length
    };
    let inside = holds(out.len(), m, n, 1, out_stride) && holds(a.0.len(), m, k, a.1, a.2);
    assert!(inside && holds(b.0.len(), k, n, b.1, b.2) && out_stride >= n, "shapes {m} × {k} × {n}");
    // SAFETY: the last element of each of the three, at these strides, lies inside its slice, and so all others do;
    // rows of `out` do not overlap, and it is borrowed alone.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            out_stride as isize,
            true,
            a.0.as_ptr(),
            a.1 as isize,
            a.2 as isize,
            b.0.as_ptr(),
            b.1 as isize,
            b.2 as isize,
            1.0,
            factor,
            false,
            false,
            false,
            threads,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_shapes_equal_the_plain_loop() {
        let numbers =
            |count: usize, step: usize| -> Vec<f32> { (0..count).map(|i| (i * step % 7) as f32 - 3.0).collect() };
        for (m, k, n) in [(1, 1, 1), (5, 3, 2), (8, 40, 17), (33, 16, 8)] {
            let (a, b) = (numbers(m * k, 3), numbers(k * n, 5));
            let start = numbers(m * n, 2);
            let mut want = start.clone();
            for i in 0..m {
                for j in 0..n {
                    want[i * n + j] += 2.0 * (0..k).map(|x| a[i * k + x] * b[x * n + j]).sum::<f32>();
                }
            }
            let turned = |rows: usize, columns: usize, x: &[f32]| -> Vec<f32> {
                (0..rows * columns).map(|i| x[i % rows * columns + i / rows]).collect()
            };
            let mut outs = [start.clone(), start.clone(), start];
            add_product(&mut outs[0], (m, k, n), &a, &b, 2.0);
            add_product_transposed(&mut outs[1], (m, k, n), &a, &turned(k, n, &b), 2.0);
            add_transposed_product(&mut outs[2], (m, k, n), &turned(m, k, &a), &b, 2.0);
            assert!(outs.iter().all(|out| *out == want), "{m} × {k} × {n}");
        }
    }
}
