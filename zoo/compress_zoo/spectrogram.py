"""From a waveform to what speech networks take: spectrograms, mel filters, cepstra. numpy only.

Frames are rows here: `(frames, features)`. A waveform is mono, float, 16 kHz unless told.

Source: Amodei et al. 2015, arXiv:1512.02595, section 3 (linear spectrogram of 20 ms windows);
Davis & Mermelstein 1980 (mel cepstrum); Graves 2012, arXiv:1211.3711, section 3.1 (its 26 features).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from compress_zoo.errors import ZooError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float32]

_FLOOR = 1e-10  # power of silence, whose logarithm must be a number
_DELTA_REACH = 2  # frames on either side that a derivative is fitted to


def power_spectrogram(
    waveform: Array, *, sample_rate: int = 16_000, window_ms: int = 20, stride_ms: int = 10
) -> Array:
    """Return the power of each frequency in each window, `(frames, window / 2 + 1)`.

    Windows are Hann windows; what is left at the end and fills none is dropped.

    Raises:
        ZooError: when the waveform is shorter than a window.
    """
    window, stride = sample_rate * window_ms // 1000, sample_rate * stride_ms // 1000
    if waveform.ndim != 1 or len(waveform) < window:
        raise ZooError(f"waveform must be mono, of {window} samples or more, got {waveform.shape}")
    frames = np.lib.stride_tricks.sliding_window_view(waveform, window)[::stride]
    spectrum = np.fft.rfft(frames * np.hanning(window + 1)[:-1])
    power: Array = (np.abs(spectrum) ** 2).astype(np.float32)
    return power


def log_spectrogram(waveform: Array, *, sample_rate: int = 16_000) -> Array:
    """Return Deep Speech 2's input, `(frames, 161)`: log power, of mean 0 and deviation 1."""
    power = power_spectrogram(waveform, sample_rate=sample_rate)
    return _standardize(np.log(power + _FLOOR), None)


def log_mel_spectrogram(waveform: Array, bands: int = 40, *, sample_rate: int = 16_000) -> Array:
    """Return the log power in each of `bands` mel bands, `(frames, bands)`; windows of 25 ms."""
    power = power_spectrogram(waveform, sample_rate=sample_rate, window_ms=25)
    filters = mel_filters(bands, power.shape[1], sample_rate=sample_rate)
    mel: Array = np.log(power @ filters.T + _FLOOR).astype(np.float32)
    return mel


def mel_cepstrum(waveform: Array, *, sample_rate: int = 16_000) -> Array:
    """Return the transducer's 26 features a frame: 12 cepstra, log energy, and their derivatives.

    Each has mean 0 and deviation 1 over the recording; in the paper, over the training set.
    """
    bands = 26
    mel = log_mel_spectrogram(waveform, bands, sample_rate=sample_rate)
    cepstra = mel @ _cosines(bands, 12).T
    power = power_spectrogram(waveform, sample_rate=sample_rate, window_ms=25)
    energy = np.log(power.sum(1, keepdims=True) + _FLOOR)
    static = np.concatenate([cepstra, energy], axis=1)
    return _standardize(np.concatenate([static, _derivative(static)], axis=1), 0)


def mel_filters(bands: int, frequencies: int, *, sample_rate: int = 16_000) -> Array:
    """Return triangular filters of equal width in mel, `(bands, frequencies)`, each of height 1.

    Mel is 2595 log10(1 + f / 700); the triangles reach from 0 to half of the sample rate.
    """
    nyquist = sample_rate / 2
    mels = np.linspace(0, 2595 * np.log10(1 + nyquist / 700), bands + 2)
    corners = 700 * (10 ** (mels / 2595) - 1)
    hertz = np.linspace(0, nyquist, frequencies)
    low, centre, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rising, falling = (hertz - low) / (centre - low), (high - hertz) / (high - centre)
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


def _cosines(bands: int, count: int) -> NDArray[np.float64]:
    """Return rows 1 to `count` of the orthonormal discrete cosine transform."""
    place, order = np.arange(bands) + 0.5, np.arange(1, count + 1)[:, None]
    rows: NDArray[np.float64] = np.sqrt(2 / bands) * np.cos(np.pi / bands * order * place)
    return rows


def _derivative(features: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the slope of the line that fits best to the frames around each one."""
    steps = range(1, _DELTA_REACH + 1)
    padded = np.pad(features, ((_DELTA_REACH, _DELTA_REACH), (0, 0)), mode="edge")
    count = len(features)
    slope = np.zeros_like(features)
    for step in steps:
        after, before = _DELTA_REACH + step, _DELTA_REACH - step
        slope += step * (padded[after : after + count] - padded[before : before + count])
    return slope / (2 * sum(step**2 for step in steps))


def _standardize(features: NDArray[np.floating], axis: int | None) -> Array:
    mean = features.mean(axis, keepdims=True)
    deviation = features.std(axis, keepdims=True)
    standard: Array = ((features - mean) / np.maximum(deviation, 1e-5)).astype(np.float32)
    return standard
