"""What a socket was sent before it asked for more, over a new history."""

from listenkey.core.consumer import Reach
from listenkey.service.consumers import Delivery, DeliveryRules
from listenkey.service.left import Left
from tests.service.house import USDM
from tests.service.test_places import BALANCE, FILL, STREAM, come, events, numbers, only


async def test_a_filter_that_crossed_into_a_new_history_has_had_both(make_house):
    """After a crash below full durability: what it was sent of the old history and of the new one does not
    come again, what it left out of either does."""
    rules = DeliveryRules(Delivery(reach=Reach(overlap=0)))
    house = await make_house(durability="relaxed", delivery=rules)
    string = await house.create(USDM, await house.account())
    house.watch(string, **only(BALANCE))
    await house.gateway.consumers.keep()
    await house.publish("alice", STREAM, *events(BALANCE, 0, 2), *events(FILL, 2, 2))
    await house.crash()
    await house.publish("alice", STREAM, *events(FILL, 4, 2), *events(BALANCE, 6, 2))
    narrow = await come(house, string, **only(BALANCE))
    assert numbers(narrow) == [0, 1, 6, 7]
    (subscription,) = narrow.subscriptions
    left = Left()
    left.note(subscription)
    assert numbers(await come(house, string, left=left)) == [2, 3, 4, 5]
