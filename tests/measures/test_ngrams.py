"""The judge of characters, against a slow reference written from the equations."""

from collections import Counter

import numpy as np
import pytest

from ectype.measures.ngrams import NGrams, symbols

TEXTS = ["abba", "abab", "baab", "a", "bbbb", "abc", "cab", "abba", "", "caba"]


class Slow:
    """Interpolated Kneser–Ney, one dictionary a length; see `NGrams`."""

    def __init__(self, texts, order, alphabet):
        self.order, self.alphabet = order, alphabet
        marked = [("<", *text, ">") for text in texts]
        self.counts = []
        for length in range(1, order + 1):
            seen = Counter()
            before = {}
            for text in marked:
                for end in range(1, len(text)):
                    start = end - length + 1
                    if start < 0:
                        continue
                    string = text[start : end + 1]
                    if length == order or start == 0:
                        seen[string] += 1
                    else:
                        before.setdefault(string, set()).add(text[start - 1])
            self.counts.append(seen + Counter({s: len(b) for s, b in before.items()}))

    def probability(self, context, symbol):
        share = 1 / self.alphabet
        for length in range(1, self.order + 1):
            if length - 1 > len(context):
                break
            tail = tuple(context[len(context) - length + 1 :])
            counts = self.counts[length - 1]
            followers = {s: c for s, c in counts.items() if s[:-1] == tail}
            total = sum(followers.values())
            if not total:
                continue
            once = sum(c == 1 for c in counts.values())
            twice = sum(c == 2 for c in counts.values())
            discount = once / (once + 2 * twice) if once else 0.5
            own = max(followers.get((*tail, symbol), 0) - discount, 0)
            share = own / total + discount * len(followers) / total * share
        return share

    def nats(self, text):
        marked = ("<", *text, ">")
        return -sum(
            np.log(self.probability(marked[:end], marked[end])) for end in range(1, len(marked))
        )


@pytest.mark.parametrize("order", [1, 2, 3, 6])
def test_agrees_with_the_equations(order):
    judge, slow = NGrams(TEXTS, order=order, alphabet=5), Slow(TEXTS, order, 5)
    asked = [*TEXTS, "cc", "bac", "z", "abz", "zzab", "abbabaab"]
    np.testing.assert_allclose(judge.nats(asked), [slow.nats(text) for text in asked], rtol=1e-12)


def test_probabilities_of_all_that_may_follow_add_up_to_one():
    judge = NGrams(TEXTS, order=3, alphabet=6)  # a, b, c, the end, and two that were never seen
    for context in ("", "a", "ab", "cab", "zz"):
        so_far = judge.nats([context])[0] + np.log(_next(judge, context, None))
        shares = [_next(judge, context, symbol) for symbol in ("a", "b", "c", "x", "y", None)]
        assert sum(shares) == pytest.approx(1)
        assert np.isfinite(so_far)


def _next(judge, context, symbol):
    """p(symbol | context), None for the end, from whole texts."""
    ended = np.exp(-judge.nats([context])[0])
    if symbol is None:
        return ended / _begun(judge, context)
    longer = np.exp(-judge.nats([context + symbol])[0])
    return longer / _begun(judge, context) / _end(judge, context + symbol)


def _begun(judge, context):
    """p of all symbols of a context."""
    stream = judge._stream([context])
    return np.prod(judge._probabilities(stream)[:-1])


def _end(judge, text):
    return judge._probabilities(judge._stream([text]))[-1]


def test_perplexity_is_of_characters_and_ends():
    judge = NGrams(TEXTS, order=2)
    texts = ["ab", "c"]
    assert symbols(texts).tolist() == [3, 2]
    assert judge.perplexity(texts) == pytest.approx(np.exp(judge.nats(texts).sum() / 5))


def test_it_prefers_what_it_learned_from():
    judge = NGrams(["anna", "hanna", "joanna", "annabel"] * 5, alphabet=30)
    assert judge.perplexity(["anna"]) < judge.perplexity(["naan"]) < judge.perplexity(["xqz"])


def test_nothing_to_learn_from_is_an_error():
    with pytest.raises(ValueError, match="no text"):
        NGrams([])
    with pytest.raises(ValueError, match="no text"):
        NGrams(["a"]).perplexity([])
