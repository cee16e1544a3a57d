"""The portal: realm, chain of checkers, throttle, SASL conversations."""
