// The operations of ops.cpp for GPUs: one thread for each number of the result.
#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>

using torch::Tensor;

constexpr int THREADS = 256;

static unsigned blocks(int64_t count) {
  return static_cast<unsigned>(std::min<int64_t>((count + THREADS - 1) / THREADS, 1 << 16));
}

#define EACH(i, count) for (int64_t i = blockIdx.x * (int64_t)blockDim.x + threadIdx.x; i < (count); i += (int64_t)blockDim.x * gridDim.x)

template <typename T>
__global__ void finish_kernel(const T* y, const T* f, const T* b, const T* noise, T* out, int64_t count, int64_t c, int64_t area, T slope) {
  EACH(i, count) {
    const int64_t q = i / area;
    T v = y[i] * f[q] + b[q % c] + (noise ? noise[(q / c) * area + i % area] : T(0));
    out[i] = v < T(0) ? v * slope : v;
  }
}

template <typename T>
__global__ void gate_kernel(const T* g, const T* r, T* out, int64_t count, T slope) {
  EACH(i, count) out[i] = r[i] < T(0) ? g[i] * slope : g[i];
}

template <typename T>
__global__ void resample_kernel(const T* x, const T* k, T* out, int64_t count, int64_t h, int64_t w, int64_t oh, int64_t ow, int64_t kh, int64_t kw,
                                int64_t up, int64_t down, int64_t x0, int64_t y0) {
  EACH(i, count) {
    const int64_t column = i % ow, row = (i / ow) % oh, plane = i / (ow * oh);
    T sum = 0;
    for (int64_t a = 0; a < kh; ++a) {
      const int64_t fine = row * down + a - y0;
      if (fine < 0 || fine % up || fine / up >= h) continue;
      for (int64_t b = 0; b < kw; ++b) {
        const int64_t place = column * down + b - x0;
        if (place < 0 || place % up || place / up >= w) continue;
        sum += k[a * kw + b] * x[(plane * h + fine / up) * w + place / up];
      }
    }
    out[i] = sum;
  }
}

Tensor finish_cuda(const Tensor& given, const Tensor& factor, const Tensor& shift, const Tensor& noise, double slope) {
  const c10::cuda::CUDAGuard guard(given.device());
  const Tensor y = given.contiguous();
  Tensor out = torch::empty_like(y);
  const int64_t count = y.numel();
  if (!count) return out;
  AT_DISPATCH_FLOATING_TYPES(y.scalar_type(), "finish", [&] {
    finish_kernel<scalar_t><<<blocks(count), THREADS, 0, at::cuda::getCurrentCUDAStream()>>>(
        y.const_data_ptr<scalar_t>(), factor.const_data_ptr<scalar_t>(), shift.const_data_ptr<scalar_t>(),
        noise.numel() ? noise.const_data_ptr<scalar_t>() : nullptr, out.data_ptr<scalar_t>(), count, y.size(1), y.size(2) * y.size(3),
        static_cast<scalar_t>(slope));
  });
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return out;
}

Tensor gate_cuda(const Tensor& gradient, const Tensor& result, double slope) {
  const c10::cuda::CUDAGuard guard(gradient.device());
  const Tensor g = gradient.contiguous(), r = result.contiguous();
  Tensor out = torch::empty_like(g);
  const int64_t count = g.numel();
  if (!count) return out;
  AT_DISPATCH_FLOATING_TYPES(g.scalar_type(), "gate", [&] {
    gate_kernel<scalar_t><<<blocks(count), THREADS, 0, at::cuda::getCurrentCUDAStream()>>>(
        g.const_data_ptr<scalar_t>(), r.const_data_ptr<scalar_t>(), out.data_ptr<scalar_t>(), count, static_cast<scalar_t>(slope));
  });
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return out;
}

Tensor resample_cuda(const Tensor& given, const Tensor& kernel, int64_t up, int64_t down, int64_t x0, int64_t x1, int64_t y0, int64_t y1) {
  const c10::cuda::CUDAGuard guard(given.device());
  const Tensor x = given.contiguous(), k = kernel.contiguous();
  const int64_t n = x.size(0), c = x.size(1), h = x.size(2), w = x.size(3), kh = k.size(0), kw = k.size(1);
  const int64_t oh = (h * up + y0 + y1 - kh) / down + 1, ow = (w * up + x0 + x1 - kw) / down + 1;
  Tensor out = torch::empty({n, c, oh, ow}, x.options());
  const int64_t count = out.numel();
  if (!count) return out;
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "resample", [&] {
    resample_kernel<scalar_t><<<blocks(count), THREADS, 0, at::cuda::getCurrentCUDAStream()>>>(
        x.const_data_ptr<scalar_t>(), k.const_data_ptr<scalar_t>(), out.data_ptr<scalar_t>(), count, h, w, oh, ow, kh, kw, up, down, x0, y0);
  });
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return out;
}
