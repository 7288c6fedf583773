"""Personal data is stored in the Orders table and nowhere else."""

import json
import logging

from sandbox.store.faults import Fault

FIELDS = ("first_name", "last_name", "street_1", "phone", "email")


def personal(order) -> set[str]:
    addresses = [order["billing_address"], *order["shipping_addresses"]]
    values = {str(address.get(name) or "") for address in addresses for name in FIELDS}
    return {value for value in values if len(value) > 4}


def test_no_personal_data_is_in_queues_logs_alerts_jobs_or_webhooks(world, store, caplog):
    caplog.set_level(logging.DEBUG, logger="chalicelib")
    ids = [store.place_order(kind=kind) for kind in ("physical", "mixed", "digital")]
    ids.append(store.place_order(date_modified="yesterday", customer_message="Ring twice, please"))
    ids.append(store.place_order(staff_notes="Ring twice, please " * 30_000))
    ids += [foreign := store.place_order(), rejected := store.place_order()]
    another = json.dumps(store.whole(ids[0]), default=float).encode()
    store.faults.add(
        Fault(route="GET /orders/*/products", kind="cut", every=2, times=9),
        Fault(route=f"GET /orders/{foreign}*", kind="body", body=another, times=None),
        Fault(route=f"PUT /orders/{rejected}", kind="body", body=another),
    )
    world.stack.sqs.send_message(QueueUrl=world.stack.queue_url, MessageBody="Not an order")
    written: list[str] = []

    world.deliver_webhooks()
    written += world.messages()
    world.poll()
    world.settle()
    world.pump.evaluate_alarm()
    written += world.dead_letters() + [str(mail) for mail in world.mail()]
    written += [str(item) for table in ("jobs", "webhooks") for item in world.items(table)]
    written += [f"{vars(record)} {caplog.handler.format(record)}" for record in caplog.records]

    known = {value for order_id in ids for value in personal(store.whole(order_id))}
    known.add("Ring twice, please")
    assert len(known) > 10
    assert not [value for value in known if any(value in text for text in written)]


def test_redacted_fields_are_never_stored(new_world):
    world = new_world(REDACTED_FIELDS="billing_address.email, shipping_addresses.phone, ip_address")
    order_id = world.store.place_order(addresses=3)
    before = world.store.whole(order_id)

    world.poll()
    world.drain()

    stored = world.order(order_id)
    assert "email" not in stored["billing_address"]
    assert "ip_address" not in stored
    assert all("phone" not in address for address in stored["shipping_addresses"])
    assert stored["billing_address"]["city"] == before["billing_address"]["city"]
    assert len(stored["shipping_addresses"]) == 3


def test_redacting_a_field_that_a_rule_reads_does_not_change_the_rule(new_world):
    world = new_world(REDACTED_FIELDS="products.type, order_is_digital")
    digital = world.store.place_order(kind="digital")

    world.poll()
    world.drain()

    assert world.store.order(digital)["status_id"] == 8
