/* zlib, for capture files that are gzip-compressed. */
#include <zlib.h>
