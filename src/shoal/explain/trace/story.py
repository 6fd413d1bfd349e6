"""Story: what one name of a trace stands for, to be printed or worked with."""

from dataclasses import dataclass

from shoal.explain.trace import html, markdown, text
from shoal.explain.trace.document import Section, Working


@dataclass(frozen=True)
class Story:
    """What a name of a trace stands for. Print it to read it.

    Attributes:
        sections: the working.
        digits: decimals of its text.
    """

    sections: tuple[Section, ...]
    digits: int

    @property
    def workings(self) -> tuple[Working, ...]:
        """The numbers in it, the one that was asked for first."""
        items = (item for section in self.sections for item in section.items)
        return tuple(item for item in items if isinstance(item, Working))

    @property
    def result(self) -> float:
        """The number that was asked for: of a weight, the derivative of E by it."""
        return self.workings[0].result

    def __str__(self) -> str:
        return text.render(self.sections, self.digits)

    def markdown(self) -> str:
        """The working as Markdown with LaTeX."""
        return markdown.render(self.sections, self.digits)

    def html(self) -> str:
        """The working as one HTML page."""
        return html.render(self.sections, self.digits)
