"""The last clicks of users: what clicks follow, and the clickers as they were before their click."""

from adi.data import last_clicks
from adi.data.last_clicks import Click, LastClicks, nobody_clicked
from adi.data.live_audiences import Clicker


def clickers_of(users, clicks):
    return users.add(clicks).clickers


def test_a_clicker_has_the_last_four_items_before_the_click_and_its_context():
    users = LastClicks(nobody_clicked)
    clicks = [Click("a", item, item % 2, float(item), (7, item)) for item in range(7)]
    *_, last = clickers_of(users, clicks)
    assert last == Clicker("a", 0, [(2, 0), (3, 1), (4, 0), (5, 1)], (7, 6))


def test_a_clicker_has_not_clicked_what_was_clicked_at_the_same_time():
    users = LastClicks(nobody_clicked)
    following = users.add([Click("a", 1, 0, 5.0), Click("a", 2, 1, 6.0), Click("b", 9, 0, 6.0), Click("a", 3, 0, 6.0)])
    assert [list(clicker.last) for clicker in following.clickers] == [[], [(1, 0)], [], [(1, 0)]]
    assert following.pairs == [(1, 2, 6.0), (2, 3, 6.0), (1, 3, 6.0)]  # co-clicks are in the order of the log
    (clicker,) = clickers_of(users, [Click("a", 4, 0, 7.0)])
    assert clicker.last == [(1, 0), (2, 1), (3, 0)]


def test_the_first_click_of_a_user_follows_those_of_the_log():
    users = LastClicks(lambda user: [(number, 0) for number in range(6)] if user == "a" else [])
    following = users.add([Click("a", 8, 1, 1.0), Click("b", 8, 1, 2.0)])
    assert [list(clicker.last) for clicker in following.clickers] == [[(2, 0), (3, 0), (4, 0), (5, 0)], []]
    assert following.pairs == [(source, 8, 1.0) for source in (5, 4, 3, 2)]
    assert list(clickers_of(users, [Click("a", 9, 1, 3.0)])[0].last) == [(3, 0), (4, 0), (5, 0), (8, 1)]


def test_the_users_who_clicked_latest_are_remembered(monkeypatch):
    monkeypatch.setattr(last_clicks, "MOST_USERS", 2)
    users = LastClicks(nobody_clicked)
    users.add([Click(user, item, 0, float(item)) for item, user in enumerate("abca")])
    assert users.users == ["c", "a"]
    (clicker,) = clickers_of(users, [Click("a", 9, 0, 9.0)])
    assert clicker.last == [(3, 0)]  # the first was forgotten when c clicked
