/* The parts of hiredis that Publishing (Swift) uses. */
#include <hiredis/hiredis.h>
