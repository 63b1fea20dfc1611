"""A cron expression as systemd writes it."""

from collections.abc import Set

from pipeline.unattended.scheduling.cron import Cron

DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")


def on_calendar(cron: Cron) -> list[str]:
    """The values of OnCalendar= that together come when the expression does.

    systemd wants a day to fit both the weekday and the date. Where cron takes either, that is two
    values, of which a timer takes whichever comes first.
    """
    date = f"*-{_listed(cron.months, 1, 12)}-"
    days = _listed(cron.days, 1, 31)
    time = f"{_listed(cron.hours, 0, 23)}:{_listed(cron.minutes, 0, 59)}:00 UTC"
    weekdays = ",".join(DAYS[day] for day in sorted(cron.weekdays)) + " "
    if len(cron.weekdays) == len(DAYS):
        weekdays = ""
    if not cron.either_day:
        return [f"{weekdays}{date}{days} {time}"]
    if not weekdays or days == "*":  # one of the two fits every day
        return [f"{date}* {time}"]
    return [f"{date}{days} {time}", f"{weekdays}{date}* {time}"]


def _listed(numbers: Set[int], lowest: int, highest: int) -> str:
    if len(numbers) == highest - lowest + 1:
        return "*"
    return ",".join(f"{number:02d}" for number in sorted(numbers))
