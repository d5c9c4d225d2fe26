"""The published language of amends: the only definition of an event.

`catalogue` says what may happen, `envelope` what every event carries, `codec` how
both become bytes and are read again, `subjects` where they travel.
"""
