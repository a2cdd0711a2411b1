"""The FFHQ recipe once more, slow and obvious: one pixel, one point, one weight at a time, and no library but numpy."""

import math

import numpy as np


def quad_of(points):
    """Top left, bottom left, bottom right, top right, from 68 landmarks."""
    def mean(first, last):
        chosen = [points[i] for i in range(first, last + 1)]
        return sum(p[0] for p in chosen) / len(chosen), sum(p[1] for p in chosen) / len(chosen)

    (lx, ly), (rx, ry) = mean(36, 41), mean(42, 47)
    mouth_x, mouth_y = (points[48][0] + points[54][0]) / 2, (points[48][1] + points[54][1]) / 2
    eye_x, eye_y = (lx + rx) / 2, (ly + ry) / 2
    ex, ey, mx, my = rx - lx, ry - ly, mouth_x - eye_x, mouth_y - eye_y
    x, y = ex + my, ey - mx
    half = max(2.0 * math.hypot(ex, ey), 1.8 * math.hypot(mx, my))
    x, y = x * half / math.hypot(x, y), y * half / math.hypot(x, y)
    cx, cy = eye_x + 0.1 * mx, eye_y + 0.1 * my
    return [(cx - x + y, cy - y - x), (cx - x - y, cy - y + x), (cx + x - y, cy + y + x), (cx + x + y, cy + y - x)]


def to_bytes(values):
    return np.clip(np.floor(np.asarray(values) + 0.5), 0, 255)


def lanczos(t):
    if t == 0:
        return 1.0
    return 3 * math.sin(math.pi * t) * math.sin(math.pi * t / 3) / (math.pi * t) ** 2 if abs(t) < 3 else 0.0


def shrink_rows(pixels, wanted):
    """Each row of the result is a weighted mean of rows; bytes in, bytes out."""
    scale = len(pixels) / wanted
    out = []
    for i in range(wanted):
        middle = (i + 0.5) * scale
        weights = [lanczos((j + 0.5 - middle) / max(scale, 1)) for j in range(len(pixels))]
        out.append(sum(w * row for w, row in zip(weights, pixels)) / sum(weights))
    return to_bytes(out)


def resize(pixels, width, height):
    """First along, then down, as Pillow does."""
    along = shrink_rows(pixels.transpose(1, 0, 2), width).transpose(1, 0, 2)
    return shrink_rows(along, height)


def mirror(i, n):
    """The pixel that stands at place i of a picture which is reflected at its border pixels."""
    while n > 1 and not 0 <= i < n:
        i = -i if i < 0 else 2 * (n - 1) - i
    return i if n > 1 else 0


def blur_rows(pixels, sigma):
    """A Gaussian along the first axis, four sigmas wide; the border pixel counts twice when it is mirrored."""
    n, reach = len(pixels), int(4 * sigma + 0.5)
    weights = [math.exp(-0.5 * (k / sigma) ** 2) for k in range(-reach, reach + 1)]
    out = []
    for i in range(n):
        total = 0
        for k, weight in zip(range(-reach, reach + 1), weights):
            j = i + k
            while not 0 <= j < n:
                j = -1 - j if j < 0 else 2 * n - 1 - j
            total = total + weight * pixels[j]
        out.append(total / sum(weights))
    return np.array(out)


def blur(pixels, sigma):
    return blur_rows(blur_rows(pixels, sigma).transpose(1, 0, 2), sigma).transpose(1, 0, 2)


def pad(pixels, quad, side, border):
    """Mirror, blur, fade into the median color, where the square reaches over the border."""
    h, w = pixels.shape[:2]
    xs, ys = [p[0] for p in quad], [p[1] for p in quad]
    left, top = max(-math.floor(min(xs)) + border, 0), max(-math.floor(min(ys)) + border, 0)
    right, bottom = max(math.ceil(max(xs)) - w + border, 0), max(math.ceil(max(ys)) - h + border, 0)
    if max(left, top, right, bottom) <= border - 4:
        return pixels, quad
    left, top, right, bottom = (max(p, round(0.3 * side)) for p in (left, top, right, bottom))
    big = np.zeros((top + h + bottom, left + w + right, 3))
    for i in range(len(big)):
        for j in range(len(big[0])):
            big[i, j] = pixels[mirror(i - top, h), mirror(j - left, w)]
    height, width = big.shape[:2]
    soft = blur(big, 0.02 * side)
    depth = np.zeros((height, width))
    for i in range(height):
        for j in range(width):
            depth[i, j] = max(1 - min(j / left, (width - 1 - j) / right), 1 - min(i / top, (height - 1 - i) / bottom))
            share = min(max(3 * depth[i, j] + 1, 0), 1)
            big[i, j] = big[i, j] + share * (soft[i, j] - big[i, j])
    median = [np.median(big[..., channel]) for channel in range(3)]
    for i in range(height):
        for j in range(width):
            big[i, j] = big[i, j] + min(max(depth[i, j], 0), 1) * (median - big[i, j])
    return to_bytes(big), [(x + left, y + top) for x, y in quad]


def sample(pixels, x, y):
    """Bilinear; the middle of the first pixel is (0, 0), and beyond the last one nothing changes."""
    h, w = pixels.shape[:2]
    x0, y0 = math.floor(x), math.floor(y)
    def at(i, j):
        return pixels[min(max(i, 0), h - 1), min(max(j, 0), w - 1)]

    top = at(y0, x0) + (x - x0) * (at(y0, x0 + 1) - at(y0, x0))
    bottom = at(y0 + 1, x0) + (x - x0) * (at(y0 + 1, x0 + 1) - at(y0 + 1, x0))
    return top + (y - y0) * (bottom - top)


def align(pixels, quad, size, oversample):
    """The recipe; pixels ``[H, W, 3]``, levels 0 to 255."""
    pixels, quad = pixels.astype(float), [tuple(map(float, p)) for p in quad]
    side = math.dist(quad[0], quad[3])
    shrink = math.floor(side / size * 0.5)
    if shrink > 1:
        pixels = resize(pixels, round(pixels.shape[1] / shrink), round(pixels.shape[0] / shrink))
        quad, side = [(x / shrink, y / shrink) for x, y in quad], side / shrink
    border = max(round(0.1 * side), 3)
    xs, ys = [p[0] for p in quad], [p[1] for p in quad]
    x0, y0 = max(math.floor(min(xs)) - border, 0), max(math.floor(min(ys)) - border, 0)
    x1, y1 = min(math.ceil(max(xs)) + border, pixels.shape[1]), min(math.ceil(max(ys)) + border, pixels.shape[0])
    pixels, quad = pixels[y0:y1, x0:x1], [(x - x0, y - y0) for x, y in quad]
    pixels, quad = pad(pixels, quad, side, border)
    n = size * oversample
    out = np.zeros((n, n, 3))
    for i in range(n):
        for j in range(n):
            u, v = (j + 0.5) / n, (i + 0.5) / n
            x = quad[0][0] + u * (quad[3][0] - quad[0][0]) + v * (quad[1][0] - quad[0][0])
            y = quad[0][1] + u * (quad[3][1] - quad[0][1]) + v * (quad[1][1] - quad[0][1])
            out[i, j] = sample(pixels, x, y)
    out = np.floor(out)  # Pillow cuts fractions off here
    return out if oversample == 1 else resize(out, size, size)
