// The operations of ops.cpp for GPUs. Maps lie plane by plane.
#include <ATen/ATen.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <algorithm>
#include <tuple>

using at::Tensor;
using Four = std::tuple<Tensor, Tensor, Tensor, Tensor>;

constexpr int THREADS = 256;    // of a block, a multiple of 32
constexpr int64_t PART = 4096;  // pixels that a block of the gradient sums

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

// The sum over a block of threads, right in thread 0.
template <typename T>
__device__ T together(T value) {
  __shared__ T warps[THREADS / 32];
  for (int step = 16; step; step /= 2) value += __shfl_down_sync(0xffffffffu, value, step);
  __syncthreads();  // the last call's sums are read
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = value;
  __syncthreads();
  T sum = 0;
  if (threadIdx.x == 0)
    for (int w = 0; w < THREADS / 32; ++w) sum += warps[w];
  return sum;
}

// Block (q, part): one part of plane q = image * C + channel.
template <typename T>
__global__ void finish_backward_kernel(const T* g, const T* y, const T* r, const T* f, T* to, T* products, T* sums, int64_t area, T slope) {
  const int64_t plane = blockIdx.x, end = min(area, (blockIdx.y + 1) * PART);
  T product = 0, sum = 0;
  for (int64_t p = blockIdx.y * PART + threadIdx.x; p < end; p += blockDim.x) {
    const int64_t i = plane * area + p;
    const T inner = r[i] > T(0) ? g[i] : g[i] * slope;
    to[i] = inner * f[plane];
    product += inner * y[i];
    sum += inner;
  }
  product = together(product);
  sum = together(sum);
  if (threadIdx.x == 0) {
    products[plane * gridDim.y + blockIdx.y] = product;
    sums[plane * gridDim.y + blockIdx.y] = sum;
  }
}

template <typename T>
__global__ void noise_backward_kernel(const T* g, const T* r, T* to, int64_t count, int64_t c, int64_t area, T slope) {
  EACH(i, count) {
    const int64_t start = (i / area) * c * area + i % area;
    T sum = 0;
    for (int64_t k = 0; k < c; ++k) sum += r[start + k * area] > T(0) ? g[start + k * area] : g[start + k * area] * slope;
    to[i] = sum;
  }
}

template <typename T>
__global__ void blur_kernel(const T* x, const T* k, T* out, int64_t count, int64_t h, int64_t w, int64_t oh, int64_t ow, int64_t side, int64_t pad) {
  EACH(i, count) {
    const int64_t column = i % ow - pad, row = (i / ow) % oh - pad;
    const T* plane = x + (i / (ow * oh)) * h * w;
    T sum = 0;
    for (int64_t a = 0; a < side; ++a)
      for (int64_t b = 0; b < side; ++b)
        if (row + a >= 0 && row + a < h && column + b >= 0 && column + b < w) sum += k[a * side + b] * plane[(row + a) * w + column + b];
    out[i] = sum;
  }
}

Tensor finish_cuda(const Tensor& given, const Tensor& factor, const Tensor& shift, const Tensor& noise, double slope) {
  const c10::cuda::CUDAGuard guard(given.device());
  const Tensor y = given.contiguous();
  Tensor out = at::empty_like(y);
  const int64_t count = y.numel();
  if (!count) return out;
  AT_DISPATCH_FLOATING_TYPES(y.scalar_type(), "finish", [&] {
    finish_kernel<scalar_t><<<blocks(count), THREADS, 0, c10::cuda::getCurrentCUDAStream()>>>(
        y.const_data_ptr<scalar_t>(), factor.const_data_ptr<scalar_t>(), shift.const_data_ptr<scalar_t>(),
        noise.numel() ? noise.const_data_ptr<scalar_t>() : nullptr, out.data_ptr<scalar_t>(), count, y.size(1), y.size(2) * y.size(3),
        static_cast<scalar_t>(slope));
  });
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return out;
}

Four finish_backward_cuda(const Tensor& gradient, const Tensor& given, const Tensor& signs, const Tensor& factor, double slope, bool wants_noise) {
  const c10::cuda::CUDAGuard guard(gradient.device());
  const Tensor g = gradient.contiguous(), y = given.contiguous(), r = signs.contiguous();
  const int64_t n = y.size(0), c = y.size(1), area = y.size(2) * y.size(3), parts = (area + PART - 1) / PART;
  Tensor to_y = at::empty_like(y), products = at::empty({n, c, parts}, y.options()), sums = at::empty({n, c, parts}, y.options());
  Tensor to_noise = at::empty({n, 1, y.size(2), y.size(3)}, y.options());
  const auto stream = c10::cuda::getCurrentCUDAStream();
  if (y.numel()) {
    AT_DISPATCH_FLOATING_TYPES(y.scalar_type(), "finish_backward", [&] {
      const dim3 grid(static_cast<unsigned>(n * c), static_cast<unsigned>(parts));
      const scalar_t *gp = g.const_data_ptr<scalar_t>(), *rp = r.const_data_ptr<scalar_t>(), s = static_cast<scalar_t>(slope);
      finish_backward_kernel<scalar_t><<<grid, THREADS, 0, stream>>>(
          gp, y.const_data_ptr<scalar_t>(), rp, factor.const_data_ptr<scalar_t>(), to_y.data_ptr<scalar_t>(), products.data_ptr<scalar_t>(),
          sums.data_ptr<scalar_t>(), area, s);
      C10_CUDA_KERNEL_LAUNCH_CHECK();
      if (wants_noise)
        noise_backward_kernel<scalar_t><<<blocks(n * area), THREADS, 0, stream>>>(gp, rp, to_noise.data_ptr<scalar_t>(), n * area, c, area, s);
      C10_CUDA_KERNEL_LAUNCH_CHECK();
    });
  }
  return {to_y, products.sum(2), sums.sum(2), to_noise};
}

Tensor blur_cuda(const Tensor& given, const Tensor& kernel, int64_t pad) {
  const c10::cuda::CUDAGuard guard(given.device());
  const Tensor x = given.contiguous(), k = kernel.contiguous();
  const int64_t n = x.size(0), c = x.size(1), h = x.size(2), w = x.size(3), side = k.size(0);
  const int64_t oh = h + 2 * pad - side + 1, ow = w + 2 * pad - side + 1;
  Tensor out = at::empty({n, c, oh, ow}, x.options());
  const int64_t count = out.numel();
  if (!count) return out;
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "blur", [&] {
    blur_kernel<scalar_t><<<blocks(count), THREADS, 0, c10::cuda::getCurrentCUDAStream()>>>(
        x.const_data_ptr<scalar_t>(), k.const_data_ptr<scalar_t>(), out.data_ptr<scalar_t>(), count, h, w, oh, ow, side, pad);
  });
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return out;
}
