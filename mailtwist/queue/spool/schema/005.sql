-- How often somebody gave orders about messages: a command, or a client that wants its
-- mail at once.  What only arrived is no order.
CREATE TABLE orders (given INTEGER NOT NULL);
INSERT INTO orders VALUES (0);
