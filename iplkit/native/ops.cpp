// Two operations on feature maps [N, C, H, W] of a generator, with their gradients, for CPU; with WITH_CUDA also for GPUs (ops.cu).
// A map lies in memory plane by plane, or with the channels innermost; each pass takes both and keeps what it finds.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/utils/pybind.h>
#include <algorithm>
#include <tuple>
#include <vector>

using at::Tensor;
using Four = std::tuple<Tensor, Tensor, Tensor, Tensor>;

#ifdef WITH_CUDA
Tensor finish_cuda(const Tensor& y, const Tensor& factor, const Tensor& shift, const Tensor& noise, double slope);
Four finish_backward_cuda(const Tensor& gradient, const Tensor& y, const Tensor& result, const Tensor& factor, double slope, bool wants_noise);
Tensor blur_cuda(const Tensor& x, const Tensor& kernel, int64_t pad);
#endif

static bool innermost(const Tensor& x) {  // channels innermost
  return x.is_contiguous(at::MemoryFormat::ChannelsLast) && !x.is_contiguous();
}

static Tensor dense(const Tensor& x) {
  return innermost(x) ? x : x.contiguous();
}

static Tensor like(const Tensor& x, const Tensor& other) {
  return innermost(other) ? x.contiguous(at::MemoryFormat::ChannelsLast) : x.contiguous();
}

// leaky_relu(y * factor[n, c] + shift[c] + noise[n, h, w]); noise may be empty.
static Tensor finish(const Tensor& given, const Tensor& factor, const Tensor& shift, const Tensor& noise, double slope) {
#ifdef WITH_CUDA
  if (given.is_cuda()) return finish_cuda(given, factor, shift, noise, slope);
#endif
  const Tensor y = dense(given);
  Tensor out = at::empty_like(y);
  const int64_t n = y.size(0), c = y.size(1), area = y.size(2) * y.size(3);
  AT_DISPATCH_FLOATING_TYPES(y.scalar_type(), "finish", [&] {
    const scalar_t *in = y.const_data_ptr<scalar_t>(), *f = factor.const_data_ptr<scalar_t>(), *b = shift.const_data_ptr<scalar_t>();
    const scalar_t* grain = noise.numel() ? noise.const_data_ptr<scalar_t>() : nullptr;
    scalar_t* to = out.data_ptr<scalar_t>();
    const scalar_t s = static_cast<scalar_t>(slope);
    if (innermost(y)) {
      at::parallel_for(0, n * area, 256, [&](int64_t begin, int64_t end) {
        for (int64_t p = begin; p < end; ++p) {
          const scalar_t* __restrict row = f + (p / area) * c;
          const scalar_t* __restrict from = in + p * c;
          scalar_t* __restrict at = to + p * c;
          const scalar_t g = grain ? grain[p] : scalar_t(0);
          for (int64_t k = 0; k < c; ++k) {
            const scalar_t v = from[k] * row[k] + b[k] + g;
            at[k] = v < 0 ? v * s : v;
          }
        }
      });
    } else {
      at::parallel_for(0, n * c, 1 + (1 << 14) / std::max<int64_t>(area, 1), [&](int64_t begin, int64_t end) {
        for (int64_t q = begin; q < end; ++q) {
          const scalar_t scale = f[q], add = b[q % c];
          const scalar_t* __restrict g = grain ? grain + (q / c) * area : nullptr;
          const scalar_t* __restrict from = in + q * area;
          scalar_t* __restrict at = to + q * area;
          for (int64_t p = 0; p < area; ++p) {
            const scalar_t v = from[p] * scale + add + (g ? g[p] : scalar_t(0));
            at[p] = v < 0 ? v * s : v;
          }
        }
      });
    }
  });
  return out;
}

// W channels of a block of pixels, `c` numbers from pixel to pixel: gives the sums of each channel, adds to the sum of each pixel.
template <int64_t W, bool noise, typename T>
static void back_stripe(const T* __restrict g, const T* __restrict y, const T* __restrict r, const T* __restrict f, T slope, int64_t count, int64_t c,
                        T* __restrict to, T* __restrict products, T* __restrict sums, T* __restrict grain) {
  T a[W] = {}, b[W] = {};
  for (int64_t p = 0; p < count; ++p) {
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t k = 0; k < W; ++k) {
      const T inner = r[p * c + k] > 0 ? g[p * c + k] : g[p * c + k] * slope;
      to[p * c + k] = inner * f[k];
      a[k] += inner * y[p * c + k];
      b[k] += inner;
      if (noise) sum += inner;
    }
    if (noise) grain[p] += sum;
  }
  std::copy(a, a + W, products);
  std::copy(b, b + W, sums);
}

// All channels of a block of pixels, in stripes whose sums stay in registers.
template <bool noise, typename T>
static void back_pixels(const T* g, const T* y, const T* r, const T* f, T slope, int64_t count, int64_t c, T* to, T* products, T* sums, T* grain) {
  int64_t k = 0;
  for (; k + 32 <= c; k += 32) back_stripe<32, noise, T>(g + k, y + k, r + k, f + k, slope, count, c, to + k, products + k, sums + k, grain);
  for (; k < c; ++k) back_stripe<1, noise, T>(g + k, y + k, r + k, f + k, slope, count, c, to + k, products + k, sums + k, grain);
}

// A stretch of one plane: adds to the sum of each pixel, gives the two sums of the channel.
template <typename T>
static std::tuple<T, T> back_plane(const T* __restrict g, const T* __restrict y, const T* __restrict r, T factor, T slope, int64_t count,
                                   T* __restrict to, T* __restrict grain) {
  T product = 0, sum = 0;
#pragma omp simd reduction(+ : product, sum)
  for (int64_t p = 0; p < count; ++p) {
    const T inner = r[p] > 0 ? g[p] : g[p] * slope;
    to[p] = inner * factor;
    product += inner * y[p];
    sum += inner;
    grain[p] += inner;
  }
  return {product, sum};
}

// Gradients of `finish` for y, factor [N, C], shift of each image [N, C], and noise [N, 1, H, W], in one pass. What it gives for noise is right only if wanted.
// Sums go over blocks of pixels first, always the same ones, so the number of threads changes no bit.
static Four finish_backward(const Tensor& gradient, const Tensor& given, const Tensor& signs, const Tensor& factor, double slope,
                            bool wants_noise) {
#ifdef WITH_CUDA
  if (gradient.is_cuda()) return finish_backward_cuda(gradient, given, signs, factor, slope, wants_noise);
#endif
  const Tensor y = dense(given), g = like(gradient, y), result = like(signs, y);
  const bool last = innermost(y);
  const int64_t n = y.size(0), c = y.size(1), area = y.size(2) * y.size(3);
  const int64_t block = last ? 256 : 4096, blocks = (area + block - 1) / block;
  Tensor to_y = at::empty_like(y), to_noise = at::empty({n, 1, y.size(2), y.size(3)}, y.options());
  Tensor products = at::empty({n, blocks, c}, y.options()), sums = at::empty({n, blocks, c}, y.options());
  AT_DISPATCH_FLOATING_TYPES(y.scalar_type(), "finish_backward", [&] {
    const scalar_t *gp = g.const_data_ptr<scalar_t>(), *yp = y.const_data_ptr<scalar_t>(), *rp = result.const_data_ptr<scalar_t>();
    const scalar_t* fp = factor.const_data_ptr<scalar_t>();
    scalar_t *op = to_y.data_ptr<scalar_t>(), *np = to_noise.data_ptr<scalar_t>();
    scalar_t *ap = products.data_ptr<scalar_t>(), *bp = sums.data_ptr<scalar_t>();
    const scalar_t s = static_cast<scalar_t>(slope);
    at::parallel_for(0, n * blocks, 1 + (1 << 14) / std::max<int64_t>(1, std::min(area, block) * c), [&](int64_t begin, int64_t end) {
      for (int64_t task = begin; task < end; ++task) {
        const int64_t image = task / blocks, first = (task % blocks) * block, count = std::min(block, area - first);
        scalar_t *a = ap + task * c, *b = bp + task * c, *grain = np + image * area + first;
        const scalar_t* f = fp + image * c;
        std::fill(grain, grain + count, scalar_t(0));
        if (last) {
          const int64_t at = (image * area + first) * c;
          (wants_noise ? back_pixels<true, scalar_t> : back_pixels<false, scalar_t>)(gp + at, yp + at, rp + at, f, s, count, c, op + at, a, b, grain);
          continue;
        }
        for (int64_t k = 0; k < c; ++k) {
          const int64_t at = (image * c + k) * area + first;
          std::tie(a[k], b[k]) = back_plane(gp + at, yp + at, rp + at, f[k], s, count, op + at, grain);
        }
      }
    });
  });
  return {to_y, products.sum(1), sums.sum(1), to_noise};
}

// Every channel filtered, zeros around. The kernel is the product of a column and a row: first down, then along, by way of one row.
static Tensor blur(const Tensor& given, const Tensor& kernel, int64_t pad) {
#ifdef WITH_CUDA
  if (given.is_cuda()) return blur_cuda(given, kernel, pad);
#endif
  const Tensor x = dense(given), column = kernel.sum(1), along = kernel.sum(0) / kernel.sum();
  const bool last = innermost(x);
  const int64_t n = x.size(0), c = x.size(1), h = x.size(2), w = x.size(3), count = kernel.size(0);
  const int64_t oh = h + 2 * pad - count + 1, ow = w + 2 * pad - count + 1;
  Tensor out = at::empty({n, c, oh, ow}, x.options(), last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "blur", [&] {
    const scalar_t *in = x.const_data_ptr<scalar_t>(), *down = column.const_data_ptr<scalar_t>(), *t = along.const_data_ptr<scalar_t>();
    scalar_t* to = out.data_ptr<scalar_t>();
    const int64_t width = last ? c : 1, planes = last ? n : n * c, row = w * width, wide = ow * width;  // numbers a pixel; pictures
    at::parallel_for(0, planes * oh, 1 + (1 << 14) / (row + 1), [&](int64_t begin, int64_t end) {
      std::vector<scalar_t> space((w + 2 * pad) * width, scalar_t(0));
      scalar_t* __restrict middle = space.data() + pad * width;
      for (int64_t line = begin; line < end; ++line) {
        const int64_t top = line % oh - pad;
        const scalar_t* picture = in + (line / oh) * h * row;
        bool fresh = true;
        for (int64_t i = std::max<int64_t>(0, -top); i < std::min(count, h - top); ++i, fresh = false) {
          const scalar_t* __restrict from = picture + (top + i) * row;
          const scalar_t tap = down[i];
          if (fresh)
            for (int64_t k = 0; k < row; ++k) middle[k] = tap * from[k];
          else
            for (int64_t k = 0; k < row; ++k) middle[k] += tap * from[k];
        }
        if (fresh) std::fill(middle, middle + row, scalar_t(0));
        scalar_t* __restrict target = to + line * wide;
        const scalar_t* __restrict source = space.data();
        if (count == 4) {  // StyleGAN2's filter
          const scalar_t t0 = t[0], t1 = t[1], t2 = t[2], t3 = t[3];
          for (int64_t k = 0; k < wide; ++k)
            target[k] = t0 * source[k] + t1 * source[k + width] + t2 * source[k + 2 * width] + t3 * source[k + 3 * width];
        } else {
          for (int64_t k = 0; k < wide; ++k) target[k] = t[0] * source[k];
          for (int64_t j = 1; j < count; ++j)
            for (int64_t k = 0; k < wide; ++k) target[k] += t[j] * source[k + j * width];
        }
      }
    });
  });
  return out;
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  m.def("finish", &finish);
  m.def("finish_backward", &finish_backward);
  m.def("blur", &blur);
}
