"""A lab's own loopback addresses."""

from breakeven.lab.block import reserve


def test_blocks_that_are_held_are_not_given_out_again() -> None:
    first, second = reserve(), reserve()
    try:
        assert first.base != second.base
        held = first.octet
        first.listener.close()
        third = reserve()
        third.listener.close()
        assert third.octet == held
    finally:
        first.listener.close()
        second.listener.close()


def test_pod_addresses_are_unique_and_come_back_last() -> None:
    block = reserve()
    block.listener.close()
    taken = [block.take() for _ in range(300)]
    assert len(set(taken)) == 300
    assert not {block.node, block.hollow} & set(taken)
    block.give_back(taken[0])
    assert block.take() not in taken


def test_a_port_in_use_is_replaced_by_a_free_one() -> None:
    block = reserve()
    try:
        assert block.port(10250) != 10250
        assert block.port(6443) == 6443
    finally:
        block.listener.close()
