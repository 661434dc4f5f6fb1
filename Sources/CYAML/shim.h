/* libyaml, used event by event: aliases are refused before anything is expanded. */
#include <yaml.h>
