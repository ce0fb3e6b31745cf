"""What the run has to say besides figures: notes, and parts that could not be run. Both are printed at once and again
at the end, so that neither scrolls away; a missing part makes the exit code 1."""


class Report:
    def __init__(self):
        self.notes = []
        self.missing = []

    def say(self, text):
        print(f"== {text}", flush=True)

    def note(self, text):
        self._add(self.notes, "note", text)

    def miss(self, text):
        self._add(self.missing, "missing", text)

    def _add(self, kept, word, text):
        if text not in kept:
            kept.append(text)
            print(f"{word}: {text}", flush=True)

    def end(self):
        """Prints all of it once more and gives the exit code."""
        if self.notes:
            print("\nTo know:")
            for text in self.notes:
                print(f"- {text}")
        if self.missing:
            print("\nMissing, so this is no full comparison:")
            for text in self.missing:
                print(f"- {text}")
        return 1 if self.missing else 0
