"""Log lines to counted kinds of records: fold, split the header, mask, sign, count. Pure: no files, no clocks."""
