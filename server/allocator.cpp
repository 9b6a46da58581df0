/// Settings of jemalloc (https://jemalloc.net), which the program is linked with: memory of
/// conversations that left goes back to the system within seconds, in a thread of its own. glibc's
/// malloc keeps it: a small block in use pins all free ones before it.
#include <jemalloc/jemalloc.h>

extern "C" const char* malloc_conf; // read by jemalloc when the process starts
const char* malloc_conf = "background_thread:true,dirty_decay_ms:2000,muzzy_decay_ms:0";
