from adi.index.threads import Cores


def test_one_search_has_all_cores_and_several_share_them() -> None:
    cores = Cores(4)
    with cores.share() as first, cores.share() as second, cores.share() as third:
        assert (first, second, third) == (4, 2, 1)
        with cores.share() as fourth, cores.share() as fifth:
            assert (fourth, fifth) == (1, 1)  # at least one
    with cores.share() as alone:
        assert alone == 4


def test_a_search_that_fails_gives_its_cores_back() -> None:
    cores = Cores(2)
    try:
        with cores.share():
            raise RuntimeError
    except RuntimeError:
        pass
    with cores.share() as threads:
        assert threads == 2
