/* The images are generated; SwiftPM wants one source of a target's own. */
#include "BPFImages.h"
