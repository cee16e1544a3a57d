"""Trust: who a message is from, and whether that can be believed.

SPF, DKIM, DMARC and ARC as pure engines: DNS comes in as an object with async methods
(`model.INames`), time as an argument.  `policy/` asks them at the right moment and
decides; nothing here refuses mail.
"""
