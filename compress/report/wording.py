"""Numbers and names as text, alike on the page and in the terminal."""

from __future__ import annotations

MINUTE = 60.0


def size(n_bytes: int) -> str:
    """Return a size in the largest binary unit that leaves at least 1.

    >>> size(812), size(27_000), size(1_066_440), size(1024**2 - 1)
    ('812 B', '26.4 KiB', '1.02 MiB', '1.00 MiB')
    """
    value, unit = float(n_bytes), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if value < 1023.5:  # what is rounded to 1024 is 1 of the next
            break
        value, unit = value / 1024, larger
    return f"{n_bytes} B" if unit == "B" else f"{_three(value)} {unit}"


def factor(value: float) -> str:
    """Return a compression ratio.

    >>> factor(40.38), factor(1.0), factor(1110.4)
    ('40.4x', '1.00x', '1110x')
    """
    return f"{_three(value)}x"


def percent(value: float) -> str:
    """Return a fraction in percent with two digits: one sample in 10,000 shows.

    >>> percent(0.9836)
    '98.36%'
    """
    return f"{100 * value:.2f}%"


def share(value: float) -> str:
    """Return a part of a whole in percent, for parts that are looked at side by side.

    >>> share(0.312)
    '31.2%'
    """
    return f"{100 * value:.1f}%"


def figure(value: float, is_fraction: bool = True) -> str:
    """Return a metric: a fraction in percent, another as it is.

    >>> figure(0.9836), figure(12.3456, is_fraction=False)
    ('98.36%', '12.35')
    """
    return percent(value) if is_fraction else f"{value:.4g}"


def change(before: float, after: float, is_fraction: bool = True) -> str:
    """Return the change of a metric: of a fraction in percentage points.

    >>> change(0.9836, 0.9830), change(2.0, 2.5, is_fraction=False)
    ('-0.06 points', '+0.5')
    """
    if not is_fraction:
        return f"{after - before:+.4g}"
    return f"{round(100 * (after - before), 2) + 0.0:+.2f} points"


def duration(seconds: float) -> str:
    """Return a time in seconds, from two minutes on in minutes and seconds.

    >>> duration(0.0412), duration(73.25), duration(245.4)
    ('0.04 s', '73.2 s', '4 min 05 s')
    """
    if seconds < 2 * MINUTE:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), int(MINUTE))
    return f"{minutes} min {rest:02} s"


def roughly(seconds: float) -> str:
    """Return a time that lies ahead, in the two units that matter.

    >>> roughly(0.3), roughly(95), roughly(9_612), roughly(200_000)
    ('1 s', '1 min 35 s', '2 h 40 min', '2 d 7 h')
    """
    whole = max(round(seconds), 1)
    for unit, below, n_seconds, n_below in (("d", "h", 86400, 3600), ("h", "min", 3600, 60)):
        if whole >= n_seconds:
            return f"{whole // n_seconds} {unit} {whole % n_seconds // n_below} {below}"
    minutes, rest = divmod(whole, int(MINUTE))
    if not minutes:
        return f"{rest} s"
    return f"{minutes} min" if minutes >= 10 else f"{minutes} min {rest} s"


def plain(name: str) -> str:
    r"""Return a name of a stranger's without what a terminal or page would act on.

    >>> plain("conv\x1b[2J\n1")
    'conv?[2J?1'
    """
    return "".join(letter if letter.isprintable() else "?" for letter in name)


def _three(value: float) -> str:
    """Three digits, or all of the whole ones."""
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}"
