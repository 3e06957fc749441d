// For tests of Sake's machinery: those that include this see the parts that define, in separate form as well.
// The others see what programs see. The Makefile looks for the include.
#pragma once
