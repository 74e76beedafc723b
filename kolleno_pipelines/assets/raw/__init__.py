"""Assets of stage raw: what one system sent for a day, byte for byte. Nothing is parsed here."""
