"""How each upstream speaks: dialects, vendors, instances. Pure, except transport.py."""
