// Three operations on feature maps [N, C, H, W], for CPU; with WITH_CUDA also for GPUs (ops.cu).
// Derivatives are put together in Python (functions.py) from these same three.
#include <torch/extension.h>
#include <ATen/Parallel.h>

using torch::Tensor;

#ifdef WITH_CUDA
Tensor finish_cuda(const Tensor& y, const Tensor& factor, const Tensor& shift, const Tensor& noise, double slope);
Tensor gate_cuda(const Tensor& gradient, const Tensor& result, double slope);
Tensor resample_cuda(const Tensor& x, const Tensor& kernel, int64_t up, int64_t down, int64_t x0, int64_t x1, int64_t y0, int64_t y1);
#endif

static bool innermost(const Tensor& x) {  // channels innermost
  return x.is_contiguous(at::MemoryFormat::ChannelsLast) && !x.is_contiguous();
}

static Tensor dense(const Tensor& x) {
  return innermost(x) ? x : x.contiguous();
}

// leaky_relu(y * factor[n, c] + shift[c] + noise[n, h, w]); noise may be empty.
static Tensor finish(const Tensor& given, const Tensor& factor, const Tensor& shift, const Tensor& noise, double slope) {
#ifdef WITH_CUDA
  if (given.is_cuda()) return finish_cuda(given, factor, shift, noise, slope);
#endif
  const Tensor y = dense(given);
  Tensor out = torch::empty_like(y);
  const int64_t n = y.size(0), c = y.size(1), area = y.size(2) * y.size(3);
  AT_DISPATCH_FLOATING_TYPES(y.scalar_type(), "finish", [&] {
    const scalar_t *in = y.const_data_ptr<scalar_t>(), *f = factor.const_data_ptr<scalar_t>(), *b = shift.const_data_ptr<scalar_t>();
    const scalar_t* grain = noise.numel() ? noise.const_data_ptr<scalar_t>() : nullptr;
    scalar_t* to = out.data_ptr<scalar_t>();
    const scalar_t s = static_cast<scalar_t>(slope);
    if (innermost(y)) {
      at::parallel_for(0, n * area, 256, [&](int64_t begin, int64_t end) {
        for (int64_t p = begin; p < end; ++p) {
          const scalar_t* row = f + (p / area) * c;
          const scalar_t g = grain ? grain[p] : scalar_t(0);
          for (int64_t k = 0; k < c; ++k) {
            const scalar_t v = in[p * c + k] * row[k] + b[k] + g;
            to[p * c + k] = v < 0 ? v * s : v;
          }
        }
      });
    } else {
      at::parallel_for(0, n * c, 1, [&](int64_t begin, int64_t end) {
        for (int64_t q = begin; q < end; ++q) {
          const scalar_t scale = f[q], add = b[q % c];
          const scalar_t* g = grain ? grain + (q / c) * area : nullptr;
          for (int64_t p = 0; p < area; ++p) {
            const scalar_t v = in[q * area + p] * scale + add + (g ? g[p] : scalar_t(0));
            to[q * area + p] = v < 0 ? v * s : v;
          }
        }
      });
    }
  });
  return out;
}

// The gradient behind a leaky ReLU, from its result: gradient, times slope where the result is negative.
static Tensor gate(const Tensor& gradient, const Tensor& result, double slope) {
#ifdef WITH_CUDA
  if (gradient.is_cuda()) return gate_cuda(gradient, result, slope);
#endif
  const Tensor sign = dense(result);
  const Tensor g = innermost(sign) ? gradient.contiguous(at::MemoryFormat::ChannelsLast) : gradient.contiguous();
  Tensor out = torch::empty_like(sign);
  AT_DISPATCH_FLOATING_TYPES(g.scalar_type(), "gate", [&] {
    const scalar_t *a = g.const_data_ptr<scalar_t>(), *r = sign.const_data_ptr<scalar_t>();
    scalar_t* to = out.data_ptr<scalar_t>();
    const scalar_t s = static_cast<scalar_t>(slope);
    at::parallel_for(0, g.numel(), 1 << 14, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) to[i] = r[i] < 0 ? a[i] * s : a[i];
    });
  });
  return out;
}

// Zeros between the pixels, zeros around (or a cut, if negative), the filter as a correlation, every down-th pixel.
static Tensor resample(const Tensor& given, const Tensor& kernel, int64_t up, int64_t down, int64_t x0, int64_t x1, int64_t y0, int64_t y1) {
#ifdef WITH_CUDA
  if (given.is_cuda()) return resample_cuda(given, kernel, up, down, x0, x1, y0, y1);
#endif
  const Tensor x = dense(given);
  const int64_t n = x.size(0), c = x.size(1), h = x.size(2), w = x.size(3), kh = kernel.size(0), kw = kernel.size(1);
  const int64_t oh = (h * up + y0 + y1 - kh) / down + 1, ow = (w * up + x0 + x1 - kw) / down + 1;
  const bool last = innermost(x);
  Tensor out = torch::empty({n, c, oh, ow}, x.options(), last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous).zero_();
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "resample", [&] {
    const scalar_t *in = x.const_data_ptr<scalar_t>(), *k = kernel.const_data_ptr<scalar_t>();
    scalar_t* to = out.data_ptr<scalar_t>();
    const int64_t width = last ? c : 1, planes = last ? n : n * c;  // numbers a pixel, pictures
    at::parallel_for(0, planes * oh, 1, [&](int64_t begin, int64_t end) {
      for (int64_t line = begin; line < end; ++line) {
        const int64_t plane = line / oh, row = line % oh;
        scalar_t* target = to + line * ow * width;
        for (int64_t i = 0; i < kh; ++i) {
          const int64_t fine = row * down + i - y0;  // in the picture with zeros set in
          if (fine < 0 || fine % up || fine / up >= h) continue;
          const scalar_t* source = in + (plane * h + fine / up) * w * width;
          for (int64_t j = 0; j < kw; ++j) {
            const scalar_t tap = k[i * kw + j];
            for (int64_t column = 0; column < ow; ++column) {
              const int64_t place = column * down + j - x0;
              if (place < 0 || place % up || place / up >= w) continue;
              const scalar_t* from = source + (place / up) * width;
              scalar_t* at = target + column * width;
              for (int64_t m = 0; m < width; ++m) at[m] += tap * from[m];
            }
          }
        }
      }
    });
  });
  return out;
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  m.def("finish", &finish);
  m.def("gate", &gate);
  m.def("resample", &resample);
}
