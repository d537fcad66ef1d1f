import numpy as np
import pytest
from compress_zoo.errors import ZooError
from compress_zoo.spectrogram import (
    log_mel_spectrogram,
    log_spectrogram,
    mel_cepstrum,
    mel_filters,
    power_spectrogram,
)

SECOND = np.arange(16_000) / 16_000


def tone(hertz: float) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * SECOND).astype(np.float32)


def test_a_tone_is_one_frequency() -> None:
    power = power_spectrogram(tone(1000))
    assert power.shape == (99, 161)  # 50 Hz apart; the last window starts at 0.98 s
    assert (power.argmax(1) == 20).all()
    assert power[:, 18:23].sum() > 0.999 * power.sum()


def test_power_against_the_sum_of_the_transform() -> None:
    waveform = np.random.default_rng(0).normal(size=480).astype(np.float32)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(320) / 320)
    part = waveform[160:480] * window  # the second frame
    waves = np.exp(-2j * np.pi * np.outer(np.arange(161), np.arange(320)) / 320)
    expected = np.abs(waves @ part) ** 2
    assert np.allclose(power_spectrogram(waveform)[1], expected, rtol=1e-3, atol=1e-4)


def test_log_spectrogram_is_standardized_and_silence_is_finite() -> None:
    features = log_spectrogram(tone(440))
    assert features.dtype == np.float32
    assert features.mean() == pytest.approx(0, abs=1e-4)
    assert features.std() == pytest.approx(1, abs=1e-4)
    assert np.array_equal(log_spectrogram(np.zeros(400, np.float32)), np.zeros((1, 161)))


def test_louder_is_only_an_offset_of_the_log() -> None:
    waveform = np.random.default_rng(0).normal(size=8000).astype(np.float32)
    difference = log_mel_spectrogram(10 * waveform) - log_mel_spectrogram(waveform)
    assert np.allclose(difference, np.log(100), atol=1e-3)


def test_mel_filters() -> None:
    filters = mel_filters(40, 201)
    assert filters.shape == (40, 201)
    peaks = filters.argmax(1) * 40.0  # Hz
    assert (np.diff(peaks) >= 0).all()
    assert np.diff(peaks)[-1] > 4 * np.diff(peaks)[0]  # wider at the top
    assert filters.max() <= 1
    inner = filters.sum(0)[5:185]  # neighbours add to 1 between the first and the last peak
    assert np.allclose(inner, 1, atol=1e-5)


def test_a_higher_tone_is_in_a_higher_band() -> None:
    bands = [log_mel_spectrogram(tone(hertz)).mean(0).argmax() for hertz in (200, 1000, 4000)]
    assert bands == sorted(set(bands))


def test_cepstrum_has_26_features_a_frame() -> None:
    waveform = np.random.default_rng(0).normal(size=16_000).astype(np.float32)
    features = mel_cepstrum(waveform)
    assert features.shape == (98, 26)
    assert np.allclose(features.mean(0), 0, atol=1e-4)
    assert np.allclose(features.std(0), 1, atol=1e-3)


def test_derivative_of_a_swelling_noise_is_its_slope() -> None:
    noise = np.random.default_rng(0).normal(size=160)  # the same in every frame
    swelling = np.tile(noise, 100) * np.exp(np.repeat(np.arange(100), 160) * 0.1)
    slopes = mel_cepstrum(swelling.astype(np.float32))[4:-4, 25]  # of the energy, standardized
    assert np.ptp(slopes) < 0.05  # constant: the edges aside


def test_too_short_a_waveform() -> None:
    with pytest.raises(ZooError, match=r"of 320 samples or more, got \(319,\)"):
        power_spectrogram(np.zeros(319, np.float32))
