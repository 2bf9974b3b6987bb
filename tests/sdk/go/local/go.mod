module mediadex.tests/local

go 1.24
